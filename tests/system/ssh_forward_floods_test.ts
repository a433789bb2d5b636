/** Clients that ask for more than anybody needs: what they cost is bounded, and others are served meanwhile. */
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";
import { listen, listenEcho } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { Program } from "../support/program.ts";
import { makeKey, SSH } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";

const MEGABYTE = 2 ** 20;

async function start(folder: Folder, key: MadeKey, more = ""): Promise<Program> {
  const keys = await folder.write("keys", `permitlisten="*:*" ${key.line}\n`);
  return await Program.start([
    `listeners: { s: { address: "127.0.0.1:0", protocols: [ssh] } }`,
    `ssh: { authorizedKeys: ["${keys}"] }`,
    `admin: { address: "off" }`,
    more,
  ].join("\n"));
}

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

const open = (client: ssh2.Client, port: number): Promise<Duplex> =>
  new Promise((resolve, reject) =>
    client.forwardOut("1.2.3.4", 5, "127.0.0.1", port, (error: Error | undefined, channel: Duplex) => {
      if (error) reject(error);
      else resolve(channel);
    })
  );

/** Whether OpenSSH's client gets through. */
async function serves(program: Program, key: MadeKey, echo: number): Promise<boolean> {
  const args = [...SSH, "-i", key.file, "-p", String(program.port("s")), "-W", `127.0.0.1:${echo}`];
  const { stdout } = await run("ssh", [...args, "pi@127.0.0.1"], { stdin: "hello" });
  return stdout === "hello";
}

Deno.test({
  name: "thousands of channels that lead nowhere, and of forwards: refused, counted, forgotten",
  ignore: !need("ssh"),
  async fn() {
    await using folder = await Folder.make();
    await using echo = await listenEcho();
    const key = await makeKey();
    await using program = await start(folder, key);
    const before = processState(program.child.pid);
    {
      await using client = await login(program.port("s"), key);
      const reasons = new Map<string, number>();
      await Promise.all(Array.from({ length: 3000 }, () =>
        open(client, 1).catch(({ message }) => {
          reasons.set(message, (reasons.get(message) ?? 0) + 1);
        })));
      const [refused, waits] = ["connection refused", "too many channels wait to be opened"].map(
        (words) => reasons.get(`(SSH) Channel open failure: ${words}`) ?? 0,
      );
      equal([refused + waits, refused >= 256, waits > 0], [3000, true, true], JSON.stringify([...reasons]));
      let granted = 0;
      for (let port = 20_000; port < 20_100; port++) {
        await new Promise<void>((done) =>
          client.forwardIn("localhost", port, (error: Error | undefined) => {
            if (!error) granted++;
            done();
          })
        );
      }
      ok(granted > 0 && granted <= 64, String(granted));
      ok(await serves(program, key, echo.port));
    }
    const after = await settled(program.child.pid, ({ sockets }) => sockets <= before.sockets, 10_000);
    ok(after.sockets <= before.sockets, `${after.sockets} of ${before.sockets}`);
  },
});

Deno.test({
  name: "a client that never reads, and one whose backend never reads, cost a window for each channel",
  ignore: !need("ssh"),
  async fn() {
    await using folder = await Folder.make();
    await using echo = await listenEcho();
    const chunk = new Uint8Array(65_536);
    await using fountain = await listen((socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on("drain", pour);
      socket.resume();
      pour();
    });
    await using sink = await listen((socket) => socket.pause());
    const key = await makeKey();
    await using program = await start(folder, key);
    ok(await serves(program, key, echo.port)); // what a first connection loads is there
    const before = processState(program.child.pid).memory, channels = 10;
    await using client = await login(program.port("s"), key);
    for (let i = 0; i < channels; i++) {
      (await open(client, fountain.port)).pause();
      const up = await open(client, sink.port);
      for (let k = 0; k < 64 && up.write(chunk); k++);
      for (let k = 0; k < 32; k++) up.write(chunk);
    }
    ok(await serves(program, key, echo.port));
    const grown = processState(program.child.pid).memory - before;
    ok(
      grown < channels * MEGABYTE + 32 * MEGABYTE,
      `${Math.round(grown / MEGABYTE)} MiB for ${channels} channels`,
    );
  },
});
