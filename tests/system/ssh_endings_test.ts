/** Transfers through names and channels when the gate stops, dies or reads its file again: whole, or visibly not. */
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { Child, Folder, run } from "../support/child.ts";
import { type Client, connect, socks } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { Program } from "../support/program.ts";
import { makeKey, SSH } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";

openssl(); // stays loaded

const PI = "pi.m", PORT = 8080;
const ignore = !need("ssh");
/** More than all windows and buffers between both ends have room for. */
const BYTES = pattern(24 << 20, 5), HALF = BYTES.length / 2;

const same = (got: Uint8Array): boolean =>
  got.length === BYTES.length && got.every((byte, i) => byte === BYTES[i]);

async function put(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

/**
 * Sends half of it, and the rest once that is released; `halfway` when somebody has the first half. By the runtime's own
 * sockets: those of node:net end where they are ended while much waits to be sent.
 */
function startHalves() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }), open: Deno.Conn[] = [];
  const released = Promise.withResolvers<void>(), halfway = Promise.withResolvers<void>();
  const serve = async (conn: Deno.Conn) => {
    await put(conn, BYTES.subarray(0, HALF));
    halfway.resolve();
    await released.promise;
    await put(conn, BYTES.subarray(HALF));
    await conn.closeWrite();
  };
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      open.push(conn);
      serving.push(serve(conn).catch(() => {}));
    }
  })();
  return {
    port: listener.addr.port,
    release: released.resolve,
    halfway: halfway.promise,
    /** How many came. */
    get came() {
      return open.length;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      released.resolve();
      for (const conn of open) conn.close();
      await Promise.all([accepting, ...serving]);
    },
  };
}

function yamlOf(folder: Folder, grace: string, more = ""): string {
  return `
listeners:
  s: { address: "127.0.0.1:0", protocols: [ssh] }
  proxy: { address: "127.0.0.1:0", protocols: [socks] }
ssh: { authorizedKeys: ["${folder.path}/keys"] }
discovery: [file, mesh]
limits: { grace: ${grace} }
engine: { threads: 2 }
admin: { address: "off" }
${more}`;
}

async function start(folder: Folder, key: MadeKey, grace: string): Promise<Program> {
  await folder.write("keys", `permitlisten="${PI}:${PORT}" ${key.line}\n`);
  return await Program.start(yamlOf(folder, grace));
}

const sshArgs = (program: Program, key: MadeKey, ...more: string[]) => [
  ...[...SSH, "-i", key.file, "-p", String(program.port("s")), ...more, "pi@127.0.0.1"],
];

async function offers(program: Program, key: MadeKey, port: number): Promise<Child> {
  const child = new Child("ssh", sshArgs(program, key, "-v", "-N", "-R", `${PI}:${PORT}:127.0.0.1:${port}`));
  await child.line(/remote forward success/);
  return child;
}

async function visit(program: Program): Promise<Client> {
  const client = await connect(program.port("proxy"));
  await socks(client, PI, PORT);
  return client;
}

/** What OpenSSH's client brings from there; its whole output once it has ended. */
const fetch = (program: Program, key: MadeKey, port: number) =>
  run("ssh", sshArgs(program, key, "-W", `127.0.0.1:${port}`));

Deno.test({
  name:
    "a gate that stops with a transfer under way resets who visits a name, and a channel ends with an error",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey();
    await using halves = startHalves();
    await using program = await start(folder, key, "200ms");
    await using _node = await offers(program, key, halves.port);
    await using client = await visit(program);
    const fetched = fetch(program, key, halves.port);
    equal((await client.read(HALF)).length, HALF);
    await halves.halfway;
    equal(await program.stop(), 0);
    await rejects(client.readAll(), /ECONNRESET/);
    const { code, bytes } = await fetched;
    ok(code !== 0 && bytes.length <= HALF, `ssh ended with ${code} and ${bytes.length} bytes`);
  },
});

Deno.test({
  name: "a gate that is killed with a transfer under way ends a channel with an error",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey();
    await using halves = startHalves();
    await using program = await start(folder, key, "200ms");
    const fetched = fetch(program, key, halves.port);
    await halves.halfway;
    program.child.signal("SIGKILL");
    const { code, bytes } = await fetched;
    ok(code !== 0 && bytes.length <= HALF, `ssh ended with ${code} and ${bytes.length} bytes`);
  },
});

Deno.test({
  name: "a gate that stops lets a transfer within its grace end whole, by a name and through a channel",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey();
    await using halves = startHalves();
    await using program = await start(folder, key, "30s");
    await using _node = await offers(program, key, halves.port);
    await using client = await visit(program);
    const fetched = fetch(program, key, halves.port);
    const first = await client.read(HALF);
    await program.child.until(() => halves.came === 2 ? true : undefined);
    program.child.signal("SIGTERM");
    await program.message((message) => /drain|stop|SIGTERM/i.test(message));
    halves.release();
    const rest = await client.readAll();
    equal(first.length + rest.length, BYTES.length);
    client.end();
    const { code, bytes, stderr } = await fetched;
    ok(
      code === 0 && same(bytes),
      `ssh ended with ${code} and ${bytes.length} bytes: ${stderr}${program.child.stderr}`,
    );
    equal(await program.child.exit(30_000), 0);
  },
});

Deno.test({
  name: "a file that is read again and again cuts no transfer, and changes no byte of it",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey();
    await using halves = startHalves();
    await using program = await start(folder, key, "200ms");
    await using _node = await offers(program, key, halves.port);
    const clients = await Promise.all([1, 2, 3].map(() => visit(program)));
    const got = clients.map((client) => client.readAll());
    const fetched = fetch(program, key, halves.port);
    for (let round = 1; round <= 6; round++) {
      if (round === 3) halves.release();
      const before = program.messages.length;
      await program.configure(
        yamlOf(folder, "200ms", `hosts: { "round${round}.test": { addresses: [192.0.2.1] } }`),
      );
      program.child.signal("SIGHUP");
      await program.message((message) => /^configuration applied/.test(message), before);
    }
    for (const bytes of await Promise.all(got)) ok(same(bytes), `${bytes.length} bytes of ${BYTES.length}`);
    const { code, bytes, stderr } = await fetched;
    ok(
      code === 0 && same(bytes),
      `ssh ended with ${code} and ${bytes.length} bytes: ${stderr}${program.child.stderr}`,
    );
    for (const client of clients) await client[Symbol.asyncDispose]();
    equal(await program.stop(), 0);
  },
});
