import type net from "node:net";
import { equal, ok } from "../support/assert.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";

/** The far gate: layers are unwrapped there, SOCKS inside them names the target. */
const farGate = (): Promise<TestGate> =>
  startGate(`
listeners: { far: { address: "127.0.0.1:0", protocols: [xor, mux, socks] } }
hosts: { it.behind: { addresses: ["127.0.0.1"] } }
policy: [ { allow: { listener: far, addresses: ["127.0.0.0/8"] } } ]
admin: { address: "off" }`);

/** The near gate: names ending in .behind live behind the layers. */
const nearGate = (far: TestGate, layers: string): Promise<TestGate> =>
  startGate(`
listeners: { near: { address: "127.0.0.1:0", protocols: [xor, mux, socks] } }
hosts: { "*": { via: "127.0.0.1:${far.port("far")}", layers: [${layers}] } }
policy: [ { allow: { listener: near, protocol: socks } } ]
admin: { address: "off" }`);

const STACKS = ["xor, socks", "mux, socks", "xor, mux, socks", "mux, xor, socks", "xor, xor, socks"];

async function behind(near: TestGate, port: number): Promise<Client> {
  const client = await connect(near.port("near"));
  await socks(client, "it.behind", port);
  return client;
}

for (const stack of STACKS) {
  Deno.test(`a target behind ${stack} is reached, every byte the same, both ways and half-closed`, async () => {
    await using echo = await listenEcho();
    await using far = await farGate();
    await using near = await nearGate(far, stack);
    for (const size of [1, 70_000, 2_000_000]) {
      await using client = await behind(near, echo.port);
      const sent = pattern(size, size + 7);
      const [got] = await Promise.all([client.read(size), client.write(sent)]);
      ok(Buffer.compare(got, sent) === 0, `${size} bytes differ`);
      client.end();
      equal((await client.readAll()).length, 0);
      const record = await near.record();
      equal([record.outcome, record.up, record.down], ["ok", size, size]);
      const inner = await far.record(({ protocol }) => protocol === "socks");
      equal([inner.outcome, inner.up, inner.down], ["ok", size, size]);
      ok(inner.parent !== undefined, "the inner connection has no parent");
    }
  });

  Deno.test(`a reset passes through ${stack} as a reset, from either side`, async () => {
    const errors: (string | undefined)[] = [];
    const closed = Promise.withResolvers<void>();
    await using server = await listen((socket) => {
      socket.on("error", (error: Error & { code?: string }) => errors.push(error.code));
      socket.on("close", () => closed.resolve());
      socket.once("data", (bytes) => {
        if (String(bytes) === "reset") socket.resetAndDestroy();
        else socket.write("heard");
      });
    });
    await using far = await farGate();
    await using near = await nearGate(far, stack);
    {
      await using client = await behind(near, server.port);
      await client.write("reset");
      equal(await client.readAll().then(() => "end", (error) => error.code), "ECONNRESET");
    }
    equal((await near.record()).outcome, "reset");
    const second = await behind(near, server.port);
    await second.write("abc");
    equal(String(await second.read(5)), String(new TextEncoder().encode("heard")));
    second.reset();
    await second[Symbol.asyncDispose]();
    await closed.promise;
    equal((await near.record()).outcome, "reset");
    equal((await far.record(({ protocol, up }) => protocol === "socks" && up === 3)).outcome, "reset");
  });
}

Deno.test("layered meets layered: a gate in the middle unwraps one stack and wraps another", async () => {
  await using echo = await listenEcho();
  await using far = await farGate();
  await using middle = await nearGate(far, "xor, socks");
  await using near = await startGate(`
listeners: { near: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { "*": { via: "127.0.0.1:${middle.port("near")}", layers: [mux, socks] } }
policy: [ { allow: { listener: near } } ]
admin: { address: "off" }`);
  for (const size of [10, 1_500_000]) {
    await using client = await behind(near, echo.port);
    const sent = pattern(size, 3);
    const [got] = await Promise.all([client.read(size), client.write(sent)]);
    ok(Buffer.compare(got, sent) === 0, `${size} bytes differ`);
    client.end();
    equal((await client.readAll()).length, 0);
  }
});

Deno.test("a stalled channel stops no other, and what waits for it stays within its window", async () => {
  const stalled = Promise.withResolvers<net.Socket>();
  await using deaf = await listen((socket) => {
    socket.pause();
    stalled.resolve(socket);
  });
  await using echo = await listenEcho();
  await using far = await farGate();
  await using near = await nearGate(far, "xor, mux, socks");
  await using slow = await behind(near, deaf.port);
  const flood = pattern(1 << 20);
  for (let i = 0; i < 64; i++) slow.socket.write(flood);
  await stalled.promise;
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < 5; i++) {
    await using client = await behind(near, echo.port);
    const sent = pattern(500_000, i + 1);
    const [got] = await Promise.all([client.read(sent.length), client.write(sent)]);
    ok(Buffer.compare(got, sent) === 0, "bytes differ");
    client.end();
    await client.readAll();
  }
  ok(slow.socket.writableLength > 32 << 20, "the gates took what nobody reads");
  ok(Deno.memoryUsage().rss - before < 64 << 20, "memory grew");
});

Deno.test("streams are unwrapped at most four deep", async () => {
  await using echo = await listenEcho();
  await using far = await farGate();
  await using near = await nearGate(far, "xor, xor, xor, xor, xor, socks");
  await using client = await connect(near.port("near"));
  const refused = await socks(client, "it.behind", echo.port).then(() => "", (error) => error.message);
  ok(refused !== "", "it was served");
  ok((await near.record()).outcome !== "ok");
});

Deno.test("a refusal passes through layers as what it is, before the end", async () => {
  await using far = await farGate();
  for (const stack of STACKS) {
    await using near = await nearGate(far, stack);
    await using client = await connect(near.port("near"));
    const told = await socks(client, "it.behind", 1).then(() => "served", (error) => error.message);
    equal([stack, told], [stack, "socks reply 5"]);
    equal((await client.readAll()).length, 0);
    const { outcome, side } = await far.record(({ protocol }) => protocol === "socks");
    equal([outcome, side], ["refused", "upstream"]);
  }
});

Deno.test("records that lie end their connection, and the gate goes on", async () => {
  await using echo = await listenEcho();
  await using far = await farGate();
  const text = (words: string) => [...new TextEncoder().encode(words)];
  const broken = {
    // Who is refused is read on and thrown away, so that its window may open again before it is overrun.
    "more than a channel's window": [
      ...text("MUX1"),
      0,
      1,
      2,
      0,
      0,
      ...Array(40).fill([0, 1, 0, 0x40, 0, ...Array(16384).fill(0)]).flat(),
    ],
    "half a record and the end": [...text("XOR1"), 1, 0, 1, 2, 3],
    "half a frame and the end": [...text("MUX1"), 0, 1],
    "a frame for nobody": [...text("MUX1"), 9, 9, 0, 0, 1, 5, 9, 9, 3, 0, 0],
  };
  for (const [name, bytes] of Object.entries(broken)) {
    await using client = await connect(far.port("far"));
    await client.write(Uint8Array.from(bytes)).catch(() => {});
    client.end();
    await client.readAll().catch(() => {});
    const outer = await far.record(({ parent }) => parent === undefined);
    ok(outer.outcome !== "internal", `${name}: ${outer.cause}`);
  }
  await using near = await nearGate(far, "mux, xor, socks");
  await using client = await behind(near, echo.port);
  await client.write("still");
  equal((await client.read(5)).length, 5);
});
