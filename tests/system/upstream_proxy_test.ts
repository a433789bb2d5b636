/** `hosts` with `via`: names behind another proxy, another ugate or sshd's own SOCKS server. */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run } from "../support/child.ts";
import { Program } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";

const CURLE_PROXY = 97;
const curl = (port: number, url: string) =>
  run("curl", ["-sS", "--max-time", "20", "-x", `socks5h://127.0.0.1:${port}`, url]);

const serveHello = () =>
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hello"));

for (const layer of ["socks", "connect"]) {
  Deno.test({
    name:
      `a gate asks another gate by ${layer}, with credentials, and tells its client what that one answered`,
    ignore: !need("curl"),
    async fn() {
      await using web = serveHello();
      await using far = await Program.start(`
listeners:
  proxy: { address: "127.0.0.1:0", protocols: [${layer}], users: { gate: "pass:word" } }
hosts:
  inside.test: { addresses: ["127.0.0.1"] }
policy:
  - { deny: { hosts: forbidden.test } }
admin: { address: "off" }
`);
      const via = `via: "127.0.0.1:${far.port("proxy")}", layers: [${layer}]`;
      await using near = await Program.start(`
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks] }
hosts:
  "*.test": { ${via}, credentials: "gate:pass:word" }
  "*.wrong": { ${via}, credentials: "gate:wrong" }
admin: { address: "off" }
`);
      const port = near.port("local"), url = (host: string) => `http://${host}:${web.addr.port}/`;
      const { code, stdout, stderr } = await curl(port, url("inside.test"));
      equal([code, stdout], [0, "hello"], stderr);
      equal((await far.record()).user, "gate");
      const told: [url: string, reply: RegExp][] = [
        [url("forbidden.test"), /\(2\)/],
        [url("absent.test"), /\(4\)/],
        [`http://inside.test:${freePort()}/`, layer === "socks" ? /\(5\)/ : /\(4\)/],
        [url("inside.wrong"), /\(2\)/],
      ];
      for (const [asked, reply] of told) {
        const refused = await curl(port, asked);
        equal(refused.code, CURLE_PROXY, asked);
        ok(reply.test(refused.stderr), `${asked}: ${refused.stderr}`);
      }
      equal(await near.stop(), 0);
      equal(await far.stop(), 0);
    },
  });
}

Deno.test({
  name: "a real SOCKS server, ssh -D, is an upstream proxy that resolves by itself",
  ignore: !need("curl", "ssh", "ssh-keygen", "sshd"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    const dynamic = freePort();
    await using _ssh = new Child("ssh", [
      ...[...sshd.args, "-N", "-D", `127.0.0.1:${dynamic}`, "-p", String(sshd.port), "127.0.0.1"],
    ]);
    await using program = await Program.start(`
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks] }
hosts:
  "*": { via: "127.0.0.1:${dynamic}", layers: [socks] }
admin: { address: "off" }
`);
    await answering(dynamic);
    const port = program.port("local");
    for (const host of ["localhost", "127.0.0.1"]) {
      const { code, stdout, stderr } = await curl(port, `http://${host}:${web.addr.port}/`);
      equal([code, stdout], [0, "hello"], stderr);
    }
    const { endpoint } = await program.record();
    equal(endpoint, `127.0.0.1:${dynamic} socks`);
    const refused = await curl(port, `http://localhost:${freePort()}/`);
    equal(refused.code, CURLE_PROXY, refused.stderr);
    equal(await program.stop(), 0);
  },
});

/** Waits until the port accepts, at most 10 s. */
async function answering(port: number): Promise<void> {
  for (const until = performance.now() + 10_000;;) {
    try {
      return (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
    } catch (thrown) {
      if (performance.now() > until) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
