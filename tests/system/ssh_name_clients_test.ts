/** The other SSH clients that people have register names, and reach names that others registered: PuTTY, dropbear, asyncssh, ssh2. */
import { readFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, run, succeed } from "../support/child.ts";
import { connect, listenEcho, socks } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { makeKey, SSH, SshGate } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";

openssl(); // stays loaded

const PI = "pi.mesh.example.com", PORT = 8080, BYTES = pattern(300_000, 9);
const same = (bytes: Uint8Array): boolean =>
  bytes.length === BYTES.length && bytes.every((byte, i) => byte === BYTES[i]);

const grant = (line: string): string => `permitlisten="${PI}:${PORT}" ${line}`;
const start = (...lines: string[]): Promise<SshGate> =>
  SshGate.start({
    lines,
    listeners: [`proxy: { address: "127.0.0.1:0", protocols: [socks] }`],
    more: "discovery: [file, mesh]",
  });

/** Whether who comes by the gate's proxy gets everything back, once somebody is connected under the name. */
async function visited({ gate }: SshGate): Promise<void> {
  for (let looks = 0; looks < 400 && (await gate.service.nodes()).length === 0; looks++) {
    await new Promise((rested) => setTimeout(rested, 50));
  }
  await using client = await connect(gate.port("proxy"));
  await socks(client, PI, PORT);
  const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
  ok(same(got), `${got.length} bytes of ${BYTES.length}`);
}

Deno.test({
  name: "plink registers a name, and reaches it by -nc",
  ignore: !need("plink", "puttygen", "ssh-keyscan", "ssh-keygen"),
  async fn() {
    const key = await makeKey();
    await using echo = await listenEcho();
    await using gate = await start(grant(key.line));
    const { path } = gate.folder, env = { HOME: path }, ppk = `${path}/key.ppk`, known = `${path}/scanned`;
    await succeed("puttygen", [key.file, "-O", "private", "-o", ppk], { env });
    const { stdout } = await succeed("ssh-keyscan", ["-p", String(gate.port), "127.0.0.1"]);
    await Deno.writeTextFile(known, stdout);
    const print = (await succeed("ssh-keygen", ["-lf", known])).stdout.split(" ")[1];
    const args = ["-ssh", "-batch", "-noagent", "-i", ppk, "-hostkey", print, "-P", String(gate.port)];
    const forward = ["-N", "-R", `${PI}:${PORT}:127.0.0.1:${echo.port}`, "pi@127.0.0.1"];
    await using _node = new Child("plink", [...args, ...forward], { env });
    await visited(gate);
    const through = await run("plink", [...args, "-nc", `${PI}:${PORT}`, "pi@127.0.0.1"], {
      stdin: BYTES,
      env,
    });
    ok(same(through.bytes), through.stderr);
  },
});

Deno.test({
  name: "dropbear's client and OpenSSH's reach a name by -B and by -W",
  ignore: !need("dbclient", "dropbearkey", "ssh"),
  async fn() {
    const key = await makeKey();
    await using echo = await listenEcho();
    await using gate = await start();
    const file = `${gate.folder.path}/dropbear`;
    const made = await succeed("dropbearkey", ["-t", "ed25519", "-f", file]);
    await gate.reload({ lines: [grant(key.line), /^ssh-ed25519 \S+/m.exec(made.stdout)![0]] });
    await using _node = await gate.stay(
      key,
      ["-R", `${PI}:${PORT}:127.0.0.1:${echo.port}`],
      /remote forward success/,
    );
    const args = ["-y", "-y", "-i", file, "-B", `${PI}:${PORT}`, "-p", String(gate.port), "pi@127.0.0.1"];
    const by = await run("dbclient", args, { stdin: BYTES, env: { HOME: "/nonexistent" } });
    ok(same(by.bytes), by.stderr);
    const open = [...SSH, "-i", key.file, "-p", String(gate.port), "-W", `${PI}:${PORT}`, "pi@127.0.0.1"];
    const other = await run("ssh", open, { stdin: BYTES });
    ok(same(other.bytes), other.stderr);
  },
});

const ASYNCSSH = `
import asyncio, asyncssh, sys
async def main(port, key, echo, name, at):
    async with asyncssh.connect("127.0.0.1", port, username="pi", client_keys=[key], known_hosts=None, config=None,
                                agent_path=None) as conn:
        await conn.forward_remote_port(name, at, "127.0.0.1", echo)
        local = await conn.forward_local_port("127.0.0.1", 0, name, at)
        print("ready", local.get_port(), flush=True)
        await conn.wait_closed()
asyncio.run(main(*[int(a) if a.isdigit() else a for a in sys.argv[1:]]))
`;

Deno.test({
  name: "asyncssh registers a name, and reaches it by a local port",
  ignore: !need("/usr/bin/python3", "/usr/lib/python3/dist-packages/asyncssh/__init__.py"),
  async fn() {
    const key = await makeKey();
    await using echo = await listenEcho();
    await using gate = await start(grant(key.line));
    const args = [String(gate.port), key.file, String(echo.port), PI, String(PORT)];
    await using node = new Child("/usr/bin/python3", ["-W", "ignore", "-c", ASYNCSSH, ...args]);
    const [, local] = await node.line(/^ready (\d+)$/m);
    await visited(gate);
    await using client = await connect(Number(local));
    const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
    ok(same(got), `${got.length} bytes of ${BYTES.length}`);
  },
});

/** ssh2's client, logged in. */
async function login(port: number, key: MadeKey): Promise<ssh2.Client & AsyncDisposable> {
  const client = new ssh2.Client(), closed = Promise.withResolvers<void>();
  client.on("close", () => closed.resolve());
  const ready = new Promise<void>((resolve, reject) => client.on("ready", resolve).on("error", reject));
  client.connect({ host: "127.0.0.1", port, username: "pi", privateKey: readFileSync(key.file) });
  await ready;
  return Object.assign(client, {
    async [Symbol.asyncDispose]() {
      client.end();
      await closed.promise;
    },
  });
}

Deno.test("ssh2 registers a name, and reaches it by a channel", async () => {
  const key = await makeKey();
  await using gate = await start(grant(key.line));
  await using node = await login(gate.port, key);
  node.on("tcp connection", (_came: unknown, accept: () => Duplex) => {
    const channel = accept();
    channel.pipe(channel);
  });
  await new Promise<void>((resolve, reject) =>
    node.forwardIn(PI, PORT, (error: Error | undefined) => error ? reject(error) : resolve())
  );
  await visited(gate);
  const got = await new Promise<Uint8Array>((resolve, reject) =>
    node.forwardOut("1.2.3.4", 5, PI, PORT, (error: Error | undefined, channel: Duplex) => {
      if (error) return reject(error);
      const parts: Uint8Array[] = [];
      channel.on("data", (bytes: Uint8Array) => parts.push(bytes));
      channel.on("end", () => resolve(new Uint8Array(Buffer.concat(parts))));
      channel.end(BYTES);
    })
  );
  equal(got.length, BYTES.length);
  ok(same(got));
});
