/** `layers: [ssh]`: destinations behind OpenSSH's sshd and other servers, as clients of the gate's proxies see it. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";
import { Program } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";

const curl = (port: number, url: string) =>
  run("curl", ["-sS", "--max-time", "20", "-x", `socks5h://127.0.0.1:${port}`, url]);

const serveHello = () =>
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hello"));

Deno.test({
  name: "curl comes through a SOCKS listener and OpenSSH's sshd to where it wants, over one connection",
  ignore: !need("curl", "sshd", "ssh-keygen"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    const known = await folder.write(
      "known_hosts",
      (await Deno.readTextFile(`${folder.path}/known`)).replace("ugate-test", `[127.0.0.1]:${sshd.port}`),
    );
    await using program = await Program.start(`
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks] }
hosts:
  "*": { via: "127.0.0.1:${sshd.port}", layers: [ssh] }
ssh: { identities: ["${folder.path}/user"], knownHosts: ["${known}"] }
admin: { address: "off" }
`);
    const port = program.port("local");
    for (let i = 0; i < 3; i++) {
      const { code, stdout, stderr } = await curl(port, `http://localhost:${web.addr.port}/`);
      equal([code, stdout], [0, "hello"], stderr + program.child.stderr);
    }
    equal((await program.record()).endpoint, `127.0.0.1:${sshd.port} ssh`);
    equal(sshd.child.stderr.match(/Accepted publickey/g)?.length, 1);
    const refused = await curl(port, `http://localhost:1/`);
    ok(/\(5\)/.test(refused.stderr), refused.stderr);
    equal(await program.stop(), 0);
  },
});
