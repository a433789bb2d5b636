/** The roots of the system, in directories of hashed names and in files: in threads of their own, for each reads them once. */
import { equal } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder, succeed } from "../../support/child.ts";

const authority = await Authority.make("roots"), strangers = await Authority.make("strangers");
const site = await authority.issue(["up.example"]);
const SCRIPT = new URL("../../support/believing.ts", import.meta.url).pathname;

/** Whether a program with this environment believes the site. */
async function believes(env: Record<string, string>): Promise<string> {
  const args = ["run", "-A", "--no-check", SCRIPT, site.chainFile, site.keyFile];
  return (await succeed(Deno.execPath(), args, { env })).stdout.trim();
}

Deno.test("roots are found by their hashes, in a file, and in a file that lies elsewhere than the hashes", async () => {
  await using folder = await Folder.make();
  const mine = `${folder.path}/mine`, others = `${folder.path}/others`, plain = `${folder.path}/plain`;
  for (const [directory, { root }] of [[mine, authority], [others, strangers], [plain, authority]] as const) {
    await Deno.mkdir(directory);
    await Deno.copyFile(root.chainFile, `${directory}/root.pem`);
  }
  for (const directory of [mine, others]) await succeed("openssl", ["rehash", directory]);
  const file = authority.root.chainFile, strange = strangers.root.chainFile;
  equal(await believes({ SSL_CERT_DIR: mine, SSL_CERT_FILE: "" }), "ok");
  equal(await believes({ SSL_CERT_DIR: others, SSL_CERT_FILE: file }), "ok");
  equal(await believes({ SSL_CERT_DIR: `${others}:${mine}`, SSL_CERT_FILE: strange }), "ok");
  equal(await believes({ SSL_CERT_DIR: plain, SSL_CERT_FILE: file }), "ok");
  equal(await believes({ SSL_CERT_DIR: others, SSL_CERT_FILE: strange }), "refused");
  equal(await believes({ SSL_CERT_DIR: "/nowhere", SSL_CERT_FILE: "/no/such" }), "refused");
});
