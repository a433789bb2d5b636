/** Every example of docs/http.md is a whole configuration, and nothing is wrong with it. */
import { loadConfiguration } from "../gate/config/load.ts";
import { openssl } from "../gate/engine/openssl_library.ts";
import { protocols } from "../protocols/mod.ts";
import { equal, ok } from "./support/assert.ts";
import { Authority } from "./support/certificates.ts";
import { Folder } from "./support/child.ts";

const PAGE = Deno.readTextFileSync(new URL("../docs/http.md", import.meta.url));
const authority = await Authority.make("docs");
openssl(); // it stays open: not in a test

/** The files that examples name. */
async function makeFiles(): Promise<Folder> {
  const folder = await Folder.make();
  const site = await authority.issue(["example.com", "*.example.com"]);
  const client = await authority.issue(["gate.example.com"]);
  await folder.write("cert.pem", site.chain);
  await folder.write("key.pem", site.key);
  await folder.write("client.pem", client.chain);
  await folder.write("client.key", client.key);
  await folder.write("ca.pem", authority.root.chain);
  return folder;
}

Deno.test("the examples of docs/http.md are configurations that hold", async () => {
  await using folder = await makeFiles();
  for (const [, example] of PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)) {
    const path = await folder.write("ugate.yaml", example);
    const { config, warnings } = await loadConfiguration(path, protocols, { get: () => undefined });
    equal(warnings, [], example);
    ok(config.routes.length > 0, example);
  }
});
