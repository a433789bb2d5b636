/** Forwards of the other SSH clients that people have, through a whole gate: dropbear, PuTTY, asyncssh, ssh2. */
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import { freePort, freePorts } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run, succeed } from "../support/child.ts";
import { type Client, connect, connectUnix, listen, listenEcho } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { makeKey, SshGate } from "../support/ssh_gate.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";

openssl(); // stays loaded

const BYTES = pattern(1_500_000, 7);
const HOME = "/nonexistent";

const same = (bytes: Uint8Array): boolean =>
  bytes.length === BYTES.length && bytes.every((byte, i) => byte === BYTES[i]);

/** Everything there and back. */
async function crosses(client: Client): Promise<boolean> {
  const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
  return same(got);
}

/** Once somebody listens there. */
async function connectSoon(port: number): Promise<Client> {
  for (let tries = 0;; tries++) {
    try {
      return await connect(port);
    } catch (thrown) {
      if (tries > 400) throw thrown;
      await new Promise((done) => setTimeout(done, 25));
    }
  }
}

Deno.test({
  name: "dropbear's client: -B, -L and -R",
  ignore: !need("dbclient", "dropbearkey"),
  async fn() {
    await using folder = await Folder.make();
    const file = `${folder.path}/key`;
    const made = await succeed("dropbearkey", ["-t", "ed25519", "-f", file]);
    const line = /^ssh-ed25519 \S+/m.exec(made.stdout)![0];
    await using echo = await listenEcho();
    const [local, remote] = freePorts(2);
    await using gate = await SshGate.start({ lines: [`permitlisten="${remote}" ${line}`] });
    const args = ["-y", "-y", "-i", file, "-p", String(gate.port)];
    const through = await run("dbclient", [...args, "-B", `127.0.0.1:${echo.port}`, "pi@127.0.0.1"], {
      stdin: BYTES,
      env: { HOME },
    });
    ok(same(through.bytes), through.stderr);
    const forwards = ["-L", `${local}:127.0.0.1:${echo.port}`, "-R", `${remote}:127.0.0.1:${echo.port}`];
    await using _client = new Child("dbclient", [...args, "-N", ...forwards, "pi@127.0.0.1"], {
      env: { HOME },
    });
    for (const port of [local, remote]) {
      await using client = await connectSoon(port);
      ok(await crosses(client), String(port));
    }
  },
});

Deno.test({
  name: "plink: -nc, -L and -R",
  ignore: !need("plink", "puttygen", "ssh", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey(), ppk = `${folder.path}/key.ppk`, env = { HOME: folder.path };
    await succeed("puttygen", [key.file, "-O", "private", "-o", ppk], { env });
    await using echo = await listenEcho();
    const [local, remote] = freePorts(2);
    await using gate = await SshGate.start({ lines: [`permitlisten="${remote}" ${key.line}`] });
    const known = `${folder.path}/known`;
    const first = ["-o", `UserKnownHostsFile=${known}`, ...gate.args(key, ["-W", "127.0.0.1:1"])];
    ok(/connection refused/.test((await run("ssh", first)).stderr));
    const print = (await succeed("ssh-keygen", ["-lf", known])).stdout.split(" ")[1];
    const args = ["-ssh", "-batch", "-noagent", "-i", ppk, "-hostkey", print, "-P", String(gate.port)];
    const nc = [...args, "-nc", `127.0.0.1:${echo.port}`, "pi@127.0.0.1"];
    const through = await run("plink", nc, { stdin: BYTES, env });
    ok(same(through.bytes), through.stderr);
    const forwards = ["-L", `${local}:127.0.0.1:${echo.port}`, "-R", `${remote}:127.0.0.1:${echo.port}`];
    await using _client = new Child("plink", [...args, "-N", ...forwards, "pi@127.0.0.1"], { env });
    for (const port of [local, remote]) {
      await using client = await connectSoon(port);
      ok(await crosses(client), String(port));
    }
  },
});

const ASYNCSSH = `
import asyncio, asyncssh, sys
async def main(port, key, echo, local, remote, folder):
    async with asyncssh.connect("127.0.0.1", port, username="pi", client_keys=[key], known_hosts=None, config=None,
                                agent_path=None) as conn:
        await conn.forward_local_port("127.0.0.1", local, "127.0.0.1", echo)
        await conn.forward_remote_port("localhost", remote, "127.0.0.1", echo)
        await conn.forward_local_path(folder + "/local", folder + "/far")
        await conn.forward_remote_path(folder + "/near", folder + "/far")
        any = await conn.forward_remote_port("", 0, "127.0.0.1", echo)
        print("ready", any.get_port(), flush=True)
        try:
            await conn.forward_remote_port("10.9.8.7", remote, "127.0.0.1", echo)
        except asyncssh.ChannelListenError as e:
            print("refused", flush=True)
        await conn.wait_closed()
asyncio.run(main(*[int(a) if a.isdigit() else a for a in sys.argv[1:]]))
`;

Deno.test({
  name: "asyncssh: ports and paths, both ways",
  ignore: !need("/usr/bin/python3", "/usr/lib/python3/dist-packages/asyncssh/__init__.py"),
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey(), [local, remote] = freePorts(2), { path } = folder;
    await using echo = await listenEcho();
    await using _far = await listen((socket) => socket.pipe(socket), `${path}/far`);
    await using gate = await SshGate.start({
      lines: [`permitlisten="localhost:${remote}" ${key.line}`],
      policy: [`{ allow: { protocol: ssh, addresses: ["unix:${path}/far", "unix:${path}/near"] } }`],
    });
    const numbers = [gate.port, key.file, echo.port, local, remote].map(String);
    await using child = new Child("/usr/bin/python3", ["-c", ASYNCSSH, ...numbers, path], { env: { HOME } });
    equal((await child.line(/^ready (\d+)$/m))[1], "15022");
    await child.line(/^refused$/m);
    for (const to of [local, remote]) {
      await using client = await connect(to);
      ok(await crosses(client), String(to));
    }
    for (const to of ["local", "near"]) {
      await using client = await connectUnix(`${path}/${to}`);
      ok(await crosses(client), to);
    }
  },
});

/** Everything there and back through a channel of ssh2. */
function crossesChannel(channel: Duplex): Promise<boolean> {
  const got: Uint8Array[] = [], over = Promise.withResolvers<boolean>();
  channel.on("data", (bytes: Uint8Array) => got.push(bytes));
  channel.on("end", () => over.resolve(same(new Uint8Array(Buffer.concat(got)))));
  channel.on("error", over.reject);
  channel.end(BYTES);
  return over.promise;
}

Deno.test("ssh2: ports and paths, both ways", async () => {
  await using folder = await Folder.make();
  const key = await makeKey(), remote = freePort(), { path } = folder;
  await using echo = await listenEcho();
  await using _far = await listen((socket) => socket.pipe(socket), `${path}/far`);
  await using gate = await SshGate.start({
    lines: [`permitlisten="127.0.0.1:${remote}" ${key.line}`],
    policy: [`{ allow: { protocol: ssh, addresses: ["unix:${path}/far", "unix:${path}/near"] } }`],
  });
  const client = new ssh2.Client(), closed = Promise.withResolvers<void>();
  client.on("close", () => closed.resolve());
  const ready = new Promise<void>((resolve, reject) => client.on("ready", resolve).on("error", reject));
  const privateKey = readFileSync(key.file);
  client.connect(
    {
      host: "127.0.0.1",
      port: gate.port,
      username: "pi",
      privateKey,
      strictVendor: false,
    } as ssh2.ConnectConfig,
  );
  await ready;
  const told: string[] = [];
  type Came = { destIP: string; destPort: number; socketPath: string };
  const took = (of: (came: Came) => string) => (came: Came, accept: () => Duplex) => {
    told.push(of(came));
    const channel = accept();
    channel.pipe(channel);
  };
  client.on("tcp connection", took(({ destIP, destPort }) => `${destIP}:${destPort}`));
  client.on("unix connection", took(({ socketPath }) => socketPath));
  const called = <T>(act: (done: (error: Error | undefined, value: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => act((error, value) => error ? reject(error) : resolve(value)));
  const out = await called<Duplex>((done) => client.forwardOut("1.2.3.4", 5, "127.0.0.1", echo.port, done));
  ok(await crossesChannel(out));
  const path1 = await called<Duplex>((done) => client.openssh_forwardOutStreamLocal(`${path}/far`, done));
  ok(await crossesChannel(path1));
  await called((done) => client.forwardIn("127.0.0.1", remote, done));
  await called((done) => client.openssh_forwardInStreamLocal(`${path}/near`, done));
  equal(await called<number>((done) => client.forwardIn("0.0.0.0", 0, done)), 15022);
  for (
    const [refused, act] of [
      ["a second 0", (done: () => void) => client.forwardIn("127.0.0.1", 0, done)],
      ["not permitted", (done: () => void) => client.forwardIn("127.0.0.1", remote + 1, done)],
      ["twice", (done: () => void) => client.forwardIn("127.0.0.1", remote, done)],
      ["no name of his", (done: () => void) => client.forwardIn("other.mesh.example.com", 443, done)],
    ] as const
  ) {
    const error = await called((done) => act(done as () => void)).then(() => undefined, (error) => error);
    ok(/Unable to bind/.test(error?.message), `${refused}: ${error?.message}`);
  }
  {
    await using one = await connect(remote);
    await using other = await connectUnix(`${path}/near`);
    ok(await crosses(one) && await crosses(other));
  }
  equal(told, [`127.0.0.1:${remote}`, `${path}/near`]);
  await called((done) => client.unforwardIn("127.0.0.1", remote, done as () => void));
  equal(await connect(remote).then(() => "there", (error) => error.code), "ECONNREFUSED");
  const denied = await called((done) => client.openssh_forwardOutStreamLocal(`${path}/other`, done))
    .then(() => undefined, (error) => error);
  equal([denied.message, denied.reason], ["(SSH) Channel open failure: not allowed", 1]);
  const closedPort = await called((done) => client.forwardOut("1.2.3.4", 5, "127.0.0.1", 1, done))
    .then(() => undefined, (error) => error);
  equal([closedPort.message, closedPort.reason], ["(SSH) Channel open failure: connection refused", 2]);
  client.end();
  await closed.promise;
});
