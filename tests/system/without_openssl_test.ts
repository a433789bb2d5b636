/**
 * A machine without libssl, and without anything else that Deno itself does not need: what speaks TLS is refused with
 * the package's name, and all the rest works.
 */
import { find } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { connect, listenEcho, socks } from "../support/net.ts";
import { Program, UGATE } from "../support/program.ts";
import { connectSecure } from "../support/tls_clients.ts";

const PACKAGE =
  /Cannot speak TLS: libssl\.so\.3 does not open, install OpenSSL 3 \(Debian: libssl3t64, before/;
const authority = await Authority.make("bare");
const site = await authority.issue(["a.example"]);

/** In a mount namespace of its own: libraries are in `$0` alone. */
const BARE = (
  libraries: string,
) => ["unshare", "--mount", "sh", "-c", `mount --bind "$0" ${libraries} && exec "$@"`];

async function allowed(): Promise<boolean> {
  const { code } = find("unshare") && find("ldd")
    ? await run("unshare", ["--mount", "mount", "--bind", "/mnt", "/mnt"])
    : { code: 1 };
  if (code === 0) return true;
  if (Deno.env.get("CI") === "true") {
    throw new Error("Cannot test without libssl: mounts are not permitted here");
  }
  console.error("SKIPPED a machine without libssl: it needs root, unshare and ldd");
  return false;
}

/** What Deno is linked with, copied; and the beginning of a command that has nothing else. */
async function bareMachine(folder: Folder): Promise<string[]> {
  const { stdout } = await succeed("ldd", [Deno.execPath()]);
  const files = [...stdout.matchAll(/(\/\S+\.so\S*) \(0x/g)].map(([, file]) => file);
  const libc = files.find((file) => /\/libc\.so/.test(file))!;
  for (const file of files) {
    await Deno.copyFile(file, `${folder.path}/${file.slice(file.lastIndexOf("/") + 1)}`);
  }
  const real = await Deno.realPath(libc);
  return [...BARE(real.slice(0, real.lastIndexOf("/"))), folder.path];
}

Deno.test({
  name: "without libssl what needs TLS is refused with the name of its package, and all else works",
  ignore: !await allowed(),
  async fn() {
    await using folder = await Folder.make();
    const [unshare, ...bare] = await bareMachine(folder);
    const ugate = (...args: string[]) => run(unshare, [...bare, Deno.execPath(), ...UGATE, ...args]);
    ok((await ugate("version")).stdout.endsWith("no OpenSSL 3: TLS cannot be ended here\n"));

    await using echo = await listenEcho();
    await using passed = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: site.chain, key: site.key, onListen() {} },
      () => new Response("passed on"),
    );
    const plain = `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http, socks] } }
routes:
  - { host: a.example, protocol: tls, to: "127.0.0.1:${passed.addr.port}" }
  - { path: /files, files: "${folder.path}" }
  - { path: /in, respond: { body: in }, auth: { basic: { alice: secret } } }
  - { respond: { body: here } }
admin: { address: "127.0.0.1:0" }
`;
    const certificates = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;
    const acme = 'acme: { directory: "https://127.0.0.1:1/dir", names: [b.example] }';
    const upstream = plain.replace("respond: { body: here }", 'to: "https://127.0.0.1:1"');
    const coded = plain.replace("respond: { body: here }", "files: ., compress: [zstd, gzip]");
    const refusals = [
      [plain + certificates, PACKAGE],
      [plain + acme, PACKAGE],
      [upstream, PACKAGE],
      [coded, /no libzstd\.so\.1 .*\(Debian: libzstd1\)\n.*no libz\.so\.1 .*\(Debian: zlib1g\)/],
    ] as const;
    await Promise.all(refusals.map(async ([yaml, why], i) => {
      const path = await folder.write(`${i}.yaml`, yaml);
      for (const verb of ["check", "run"]) {
        const { code, stdout, stderr } = await ugate(verb, "-c", path);
        equal([verb, code, stdout], [verb, 1, ""]);
        ok(why.test(stderr), stderr);
      }
    }));

    await using program = await Program.start(plain, { before: [unshare, ...bare] });
    const port = program.port("edge"), url = `http://127.0.0.1:${port}`;
    const get = async (path: string, headers = {}) => await (await fetch(url + path, { headers })).text();
    equal(await get("/"), "here");
    equal(await get("/files/0.yaml"), plain + certificates);
    equal(await get("/in", { Authorization: `Basic ${btoa("alice:secret")}` }), "in");
    await using client = await connect(port);
    await socks(client, "127.0.0.1", echo.port);
    await client.write("through");
    equal(new TextDecoder().decode(await client.read(7)), "through");
    await using secure = await connectSecure({ port, servername: "a.example", ca: authority.root.chain });
    await secure.client.write("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    ok((await secure.client.text()).endsWith("passed on"));

    await program.configure(plain + certificates);
    const refused = await program.message((message) => PACKAGE.test(message));
    ok(/refused/.test(refused), refused);
    equal(await get("/"), "here");
  },
});
