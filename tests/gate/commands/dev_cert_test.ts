import { need } from "../../../scripts/clients.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder, run, succeed } from "../../support/child.ts";
import { Program, ugate } from "../../support/program.ts";

const ignore = !need("curl", "openssl");
const modeOf = (path: string) => (Deno.statSync(path).mode! & 0o777).toString(8);

Deno.test({
  name: "dev-cert makes a certificate that openssl verifies and that ugate serves to curl",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const at = ["--out", `${folder.path}/out`, "--state", `${folder.path}/state`];
    const first = await ugate(["dev-cert", "App.Example", "*.in.example", "192.0.2.7", ...at]);
    equal([first.code, first.stderr], [0, ""]);
    const cert = `${folder.path}/out/app.example.pem`, key = `${folder.path}/out/app.example.key`;
    const root = `${folder.path}/out/ugate-dev-root.pem`;
    ok(first.stdout.includes(`certificates: [{ cert: ${cert}, key: ${key} }]`), first.stdout);
    ok(
      /A new authority vouches.*curl --cacert.*update-ca-certificates.*certutil.*Firefox/s.test(first.stdout),
    );
    equal([modeOf(key), modeOf(root), modeOf(`${folder.path}/state/dev/authority.pem`)], [
      "600",
      "644",
      "600",
    ]);
    await succeed("openssl", ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, cert]);
    for (const name of ["app.example", "x.in.example", "localhost"]) {
      await succeed("openssl", ["verify", "-CAfile", root, "-verify_hostname", name, cert]);
    }
    for (const address of ["192.0.2.7", "127.0.0.1", "::1"]) {
      await succeed("openssl", ["verify", "-CAfile", root, "-verify_ip", address, cert]);
    }

    await using web = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("hello\n"),
    );
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: "http://127.0.0.1:${web.addr.port}" }]
certificates: [{ cert: "${cert}", key: "${key}" }]
admin: { address: "127.0.0.1:0" }
`);
    const to = ["--connect-to", `::127.0.0.1:${program.port("edge")}`, "--cacert", root];
    for (const name of ["app.example", "x.in.example", "localhost"]) {
      equal((await succeed("curl", ["-sS", ...to, `https://${name}/`])).stdout, "hello\n");
    }
    equal(
      (await succeed("curl", ["-sS", "--cacert", root, `https://127.0.0.1:${program.port("edge")}/`])).stdout,
      "hello\n",
    );
    ok((await run("curl", ["-sS", ...to, "https://other.example/"])).code !== 0);
  },
});

Deno.test("dev-cert keeps its authority, renews its own files, and writes over nobody else's", async () => {
  await using folder = await Folder.make();
  const at = ["--out", folder.path, "--state", `${folder.path}/state`, "--json"];
  const first = JSON.parse((await ugate(["dev-cert", ...at])).stdout);
  equal([first.names, first.newAuthority], [["localhost", "127.0.0.1", "::1"], true]);
  const root = await Deno.readTextFile(first.root), before = await Deno.readTextFile(first.cert);
  const second = JSON.parse((await ugate(["dev-cert", "localhost", ...at])).stdout);
  equal([second.cert, second.newAuthority, await Deno.readTextFile(second.root)], [first.cert, false, root]);
  ok(await Deno.readTextFile(second.cert) !== before);
  await Deno.writeTextFile(`${folder.path}/a.example.key`, "somebody's own");
  const refused = await ugate(["dev-cert", "a.example", ...at]);
  equal([refused.code, refused.stdout], [1, ""]);
  ok(
    /^ugate: Cannot write .*a\.example\.key: what is there is not of this authority\n$/.test(refused.stderr),
  );
  for (const wrong of ["a b", "*.", "a*.example", "unix:/run/x"]) {
    const { code, stderr } = await ugate(["dev-cert", ...at, "--", wrong]);
    equal(code, 2, stderr);
  }
  await Deno.writeTextFile(`${folder.path}/state/dev/authority.pem`, "broken");
  const broken = await ugate(["dev-cert", ...at]);
  equal(broken.code, 1);
  ok(/Cannot read .*authority\.pem: it is damaged/.test(broken.stderr), broken.stderr);
});
