/** `layers: [ssh]`: destinations behind OpenSSH's sshd and other servers, as clients of the gate's proxies see it. */
import { need } from "../../scripts/clients.ts";
import { freePort } from "../../scripts/free_ports.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run, succeed } from "../support/child.ts";
import { Program, UGATE } from "../support/program.ts";
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

const ugate = (...args: string[]) => [...UGATE, ...args];

/** What makes ugate's commands log in to this server, and believe it. */
async function believing(folder: Folder, port: number): Promise<string[]> {
  const line = (await Deno.readTextFile(`${folder.path}/known`)).replace("ugate-test", `[127.0.0.1]:${port}`);
  const known = await folder.write("known_hosts", line);
  return ["-c", await folder.write("none.yaml", `node: { state: "${folder.path}/state" }\n`)].concat(
    ["--via", `127.0.0.1:${port}`, "-i", `${folder.path}/user`, "--known-hosts", known],
  );
}

Deno.test({
  name: "ugate nc is a ProxyCommand: ssh comes through one sshd into another, and its exit code comes back",
  ignore: !need("ssh", "sshd", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    const via = await believing(folder, sshd.port);
    const command = [Deno.execPath(), ...ugate("nc", ...via), "%h:%p"].join(" ");
    const args = [...sshd.args, "-o", `ProxyCommand=${command}`, "-p", String(sshd.port), "127.0.0.1"];
    const { code, stdout, stderr } = await run("ssh", [...args, "cat; exit 7"], { stdin: "through both" });
    equal([code, stdout], [7, "through both"], stderr);
  },
});

Deno.test({
  name: "ugate nc carries bytes both ways to their ends, and tells by its exit code what became of them",
  ignore: !need("sshd", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    const via = await believing(folder, sshd.port);
    using echo = echoing();
    const nc = (target: string, stdin?: Uint8Array, more = via) =>
      run(Deno.execPath(), ugate("nc", ...more, target), { stdin });
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const sent = new Uint8Array(bytes.length * 40).map((_, i) => bytes[i % bytes.length] ^ i >> 16);
    const back = await nc(`127.0.0.1:${echo.port}`, sent);
    equal([back.code, back.stderr], [0, ""]);
    ok(back.bytes.length === sent.length && back.bytes.every((byte, i) => byte === sent[i]));
    const nobody = await nc(`127.0.0.1:${freePort()}`);
    equal(nobody.code, 1);
    ok(/Cannot reach 127\.0\.0\.1:\d+ through SSH.*refused/.test(nobody.stderr), nobody.stderr);
    const stranger = via.with(via.indexOf("-i") + 1, await strangersKey(folder));
    const refused = await nc(`127.0.0.1:${echo.port}`, undefined, stranger);
    equal(refused.code, 1);
    ok(
      /Cannot log in as .*: it refused ssh-ed25519 SHA256:.*it takes publickey/.test(refused.stderr),
      refused.stderr,
    );
    const unknown = via.with(via.indexOf("--known-hosts") + 1, await folder.write("nobody", ""));
    const doubted = await nc(`127.0.0.1:${echo.port}`, undefined, unknown);
    equal(doubted.code, 1);
    ok(/nobody knows it, and it shows .* SHA256:/.test(doubted.stderr), doubted.stderr);
    ok(doubted.stderr.includes(`[127.0.0.1]:${sshd.port} `), doubted.stderr);
    const bare = via.toSpliced(via.indexOf("--known-hosts"), 2);
    const homeless = { env: { HOME: folder.path }, stdin: "" };
    const unwritten = await run(Deno.execPath(), ugate("nc", ...bare, "127.0.0.1:1"), homeless);
    ok(/nobody knows it, and it shows/.test(unwritten.stderr), unwritten.stderr);
    const [, pinned] = /identity: (ssh:SHA256:\S+) where/.exec(unwritten.stderr) ?? [];
    const args = ugate("nc", ...bare, "--identity", pinned, `127.0.0.1:${echo.port}`);
    const known = await run(Deno.execPath(), args, { ...homeless, stdin: "as it was told" });
    equal([known.code, known.stdout], [0, "as it was told"], known.stderr);
    equal((await nc("nonsense")).code, 2);
    const absent = via.with(via.indexOf("--via") + 1, `127.0.0.1:${freePort()}`);
    equal((await nc(`127.0.0.1:${echo.port}`, undefined, absent)).code, 1);
  },
});

Deno.test({
  name: "ugate forward listens for -L and -D, also for unix sockets there, until a signal ends it",
  ignore: !need("curl", "sshd", "ssh-keygen"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const path = `${folder.path}/web.sock`;
    await using local = Deno.serve({ path, onListen() {} }, () => new Response("by its path"));
    await using sshd = await startSshd(folder);
    const given = ["-L", `0:127.0.0.1:${web.addr.port}`, "-L", `127.0.0.1:0:${path}`, "-D", "0"];
    await using child = new Child(
      Deno.execPath(),
      ugate("forward", ...await believing(folder, sshd.port), ...given),
    );
    await child.line(/^ready$/m);
    const [tcp, unix, dynamic] = Array.from(
      child.stdout.matchAll(/^(127\.0\.0\.1:\d+) {2}-[LD] /gm),
      ([, one]) => one,
    );
    const got = async (...args: string[]) =>
      (await succeed("curl", ["-sS", "--max-time", "20", ...args])).stdout;
    equal(await got(`http://${tcp}/`), "hello");
    equal(await got(`http://${unix}/`), "by its path");
    for (const host of ["127.0.0.1", "localhost"]) {
      equal(await got("-x", `socks5h://${dynamic}`, `http://${host}:${web.addr.port}/`), "hello");
    }
    equal(await got("-p", "-x", `http://${dynamic}`, `http://localhost:${web.addr.port}/`), "hello");
    child.signal("SIGTERM");
    equal(await child.exit(), 0);
    equal(sshd.child.stderr.match(/Accepted publickey/g)?.length, 1);
    equal((await run(Deno.execPath(), ugate("forward", "--via", "127.0.0.1"))).code, 2);
    await local.shutdown();
  },
});

Deno.test({
  name: "nc and a configuration say of a key with a passphrase what is to be done, and do not wait for it",
  ignore: !need("ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const remedy =
      "it has a passphrase: give it to an agent and write agent here, or take its passphrase away: " +
      "ssh-keygen -p -f FILE";
    for (const format of [[], ["-m", "PEM", "-t", "rsa", "-b", "2048"], ["-m", "PKCS8", "-t", "ecdsa"]]) {
      const file = `${folder.path}/locked${format.length}${format[1] ?? ""}`;
      await succeed("ssh-keygen", ["-q", ...format, "-N", "a passphrase", "-f", file]);
      const nc = await run(Deno.execPath(), ugate("nc", "--via", "127.0.0.1:1", "-i", file, "127.0.0.1:1"), {
        stdin: "",
      });
      equal(nc.code, 1, nc.stderr);
      ok(nc.stderr.includes(remedy), nc.stderr);
      const yaml = await folder.write("locked.yaml", `ssh: { identities: [agent, "${file}"] }`);
      const checked = await run(Deno.execPath(), ugate("check", "--config", yaml));
      equal(checked.code, 1);
      ok(/locked\.yaml:1:\d+ ssh\.identities\[1\]: /.test(checked.stderr), checked.stderr);
      ok(checked.stderr.includes(remedy), checked.stderr);
    }
  },
});

async function strangersKey(folder: Folder): Promise<string> {
  const file = `${folder.path}/stranger`;
  await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  return file;
}

/** Sends back what comes, and ends where that ends. */
function echoing() {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const serve = async () => {
    for await (const connection of listener) {
      void connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  };
  const served = serve();
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => {
      listener.close();
      void served;
    },
  };
}
