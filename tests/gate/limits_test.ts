import fc from "fast-check";
import { ConnectionLimits, LIMITS_SIZE } from "../../gate/limits.ts";
import { LIMITS } from "../support/fake_gate.ts";
import { equal, ok } from "../support/assert.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type Client, connect, listen, listenEcho } from "../support/net.ts";

function limits(
  connections: number,
  reserve: Record<string, number> = {},
): [ConnectionLimits, ConnectionLimits] {
  const memory = () => new SharedArrayBuffer(LIMITS_SIZE);
  const shared = memory();
  const engines = [
    new ConnectionLimits(shared, memory(), 7),
    new ConnectionLimits(shared, memory(), 7),
  ] as const;
  const reserved = Object.entries(reserve).map(([protocol, slots], number) => ({ protocol, slots, number }));
  for (const engine of engines) engine.configure({ ...LIMITS, connections }, reserved);
  return [engines[0], engines[1]];
}

Deno.test("engines together take no more than all, and what is released is free again", () => {
  const [a, b] = limits(3);
  const places = [a.claim(), b.claim(), a.claim()];
  ok(places.every((place) => place !== undefined));
  equal([a.claim(), b.claim(), a.connections], [undefined, undefined, 3]);
  b.release(places[0]!);
  ok(a.claim() !== undefined);
});

Deno.test("reserved slots take who is not told apart yet, and keep only their own protocol", () => {
  const [a] = limits(4, { ssh: 2 });
  ok([a.claim(), a.claim()].every((place) => place !== undefined && !a.isWaiting(place)));
  const third = a.claim()!, fourth = a.claim()!;
  ok(a.isWaiting(third) && a.isWaiting(fourth));
  equal(a.claim(), undefined);
  equal(a.assign(third, "http"), undefined); // all slots for anybody are taken
  a.release(third);
  const assigned = a.assign(fourth, "ssh")!;
  ok(!a.isWaiting(assigned));
  const fifth = a.claim()!;
  ok(a.isWaiting(fifth));
  ok(a.assign(fifth, "ssh") !== undefined);
  equal(a.claim(), undefined);
  equal(a.connections, 4);
});

Deno.test("every way to come and go leaves nothing counted", () => {
  const names = fc.constantFrom("ssh", "http", "tls");
  const acts = fc.array(fc.tuple(fc.constantFrom("claim", "assign", "release"), fc.nat(), names), {
    maxLength: 300,
  });
  fc.assert(fc.property(acts, (acts) => {
    const [a, b] = limits(6, { ssh: 2, http: 1 });
    const places: number[] = [];
    for (const [act, at, name] of acts) {
      const limits = at % 2 ? a : b, i = at % (places.length || 1);
      if (act === "claim") {
        const place = limits.claim();
        if (place !== undefined) places.push(place);
      } else if (places.length > 0 && act === "assign") {
        const place = limits.assign(places[i], name);
        if (place !== undefined) places[i] = place;
      } else if (places.length > 0) limits.release(places.splice(i, 1)[0]);
      ok(a.connections <= 6);
      equal(a.connections, places.length);
    }
    for (const place of places) a.release(place);
    equal(a.connections, 0);
    equal(Array.from({ length: 7 }, () => a.claim()).filter((place) => place !== undefined).length, 6);
  }));
});

Deno.test("a source never has more than its own, however many others there are", () => {
  const [a, b] = limits(100_000);
  for (let i = 0; i < 20_000; i++) {
    a.enterSource(a.sourceKey(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 0), 1000);
  }
  const key = b.sourceKey("192.0.2.9", 0);
  let entered = 0;
  while (b.enterSource(key, 50)) entered++;
  ok(entered <= 50, `${entered} got in`);
  ok(entered >= 40, `${entered} of 50 got in: others take its place`);
});

Deno.test("what sources take they give back", () => {
  const sources = fc.array(fc.ipV4(), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(sources, (sources) => {
    const [a] = limits(1000);
    const keys = sources.map((source) => a.sourceKey(source, 0)).filter((key) => a.enterSource(key, 3));
    for (const key of keys) a.leaveSource(key);
    for (const source of sources) {
      const key = a.sourceKey(source, 0);
      ok(a.enterSource(key, 1), "something was left behind");
      a.leaveSource(key);
    }
  }));
});

Deno.test("IPv6 counts by /64, IPv4 by address, each listener apart", () => {
  const [a, b] = limits(10);
  equal(a.sourceKey("2001:db8::1", 0), b.sourceKey("2001:db8::ffff:2", 0));
  ok(a.sourceKey("2001:db8::1", 0) !== a.sourceKey("2001:db8:0:1::1", 0));
  ok(a.sourceKey("10.0.0.1", 0) !== a.sourceKey("10.0.0.2", 0));
  ok(a.sourceKey("10.0.0.1", 0) !== a.sourceKey("10.0.0.1", 1));
});

Deno.test("a listener's limit holds for it alone", () => {
  const [a, b] = limits(100);
  ok(a.enterListener(1, 2) && b.enterListener(1, 2) && !a.enterListener(1, 2) && a.enterListener(2, 2));
  b.leaveListener(1);
  ok(a.enterListener(1, 2));
});

/** Whether it is served: an echo comes back. */
async function served(client: Client): Promise<boolean> {
  try {
    await client.write("x");
    await client.read(1);
    return true;
  } catch {
    return false;
  }
}

async function countServed(gate: TestGate, listener: string, times: number): Promise<number> {
  const clients: Client[] = [];
  let count = 0;
  try {
    for (let i = 0; i < times; i++) {
      const client = await connect(gate.port(listener));
      clients.push(client);
      if (await served(client)) count++;
    }
    return count;
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
}

Deno.test("through the gate: in all, of one source and of one listener, each limit bites and lets go", async () => {
  await using echo = await listenEcho();
  for (
    const [most, limits, listenerLimits] of [
      [3, "{ connections: 3 }", "{}"],
      [2, "{ perSource: 2 }", "{}"],
      [4, "{ perSource: 5 }", "{ connections: 4 }"],
      [1, "{}", "{ perSource: 1 }"],
    ] as const
  ) {
    await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}", limits: ${listenerLimits} } }
limits: ${limits}
admin: { address: "off" }`);
    for (let round = 0; round < 2; round++) {
      equal(await countServed(gate, "fwd", 6), most, `with ${limits} ${listenerLimits}`);
      for (let i = 0; i < most; i++) {
        await gate.record(({ outcome }) => outcome === "ok" || outcome === "reset");
      }
    }
  }
});

Deno.test("through the gate: a listener's limits hold for all its addresses together", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  other: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  fwd:
    address: ["127.0.0.1:0", "[::1]:0"]
    to: "127.0.0.1:${echo.port}"
    limits: { connections: 1 }
admin: { address: "off" }`);
  const [first, second] = gate.service.listening.filter(({ listener }) => listener === "fwd")
    .map(({ address }) => Number(address.slice(address.lastIndexOf(":") + 1)));
  await using v4 = await connect(first);
  equal(await served(v4), true);
  await using v6 = await connect(second, "::1");
  equal(await served(v6), false);
  equal(await countServed(gate, "other", 2), 2);
});

Deno.test("through the gate: a reserved slot is for its protocol, and the oldest that is not told apart gives way", async () => {
  await using ssh = await listen((socket) => socket.pipe(socket));
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh], sniffTimeout: 30s } }
routes: [ { protocol: ssh, to: "127.0.0.1:${ssh.port}" } ]
limits: { connections: 3, reserve: { ssh: 2 } }
admin: { address: "off" }`);
  const greeting = "SSH-2.0-test\r\n";
  await using general = await connect(gate.port("edge"));
  await using oldest = await connect(gate.port("edge"));
  await using second = await connect(gate.port("edge"));
  await using third = await connect(gate.port("edge")); // all slots are taken: the oldest waiting one is cut for it
  const cut = await oldest.readAll().then(() => "ended", (error) => error.code);
  equal(cut, "ECONNRESET");
  equal((await gate.record()).outcome, "exhausted");
  for (const client of [third, second]) {
    await client.write(greeting);
    equal(new TextDecoder().decode(await client.read(greeting.length)), greeting);
  }
  // Two speak SSH in the reserved slots, one is silent in the general one: the next finds none.
  await using refused = await connect(gate.port("edge"));
  equal((await refused.readAll().catch(() => new Uint8Array())).length, 0);
  await general.write(greeting);
  equal(new TextDecoder().decode(await general.read(greeting.length)), greeting);
});

Deno.test("through the gate: who was refused counts as long as its descriptor is open", async () => {
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls] } }
limits: { perSource: 5 }
admin: { address: "off" }`);
  const clients: Client[] = [];
  try {
    for (let i = 0; i < 40; i++) {
      const client = await connect(gate.port("edge"));
      clients.push(client);
      client.socket.write("no TLS, and it stays open");
    }
    for (const client of clients.slice(5)) await client.readAll().catch(() => {}); // refused before a byte of it
    for (let i = 0; i < 5; i++) await gate.record();
    equal((await gate.service.status()).limitHits.perSource, 35);
    equal(gate.records.map(({ outcome }) => outcome), Array(5).fill("malformed"));
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
});

Deno.test("through the gate: whom a limit refuses before it is heard makes no record, only a hit and a burst", async () => {
  const many = 40;
  for (
    const [name, proxies, limits, listenerLimits] of [
      ["connections", "", "{ connections: 5 }", "{}"],
      ["listener", "", "{}", "{ connections: 5 }"],
      ["perSource", "", "{ perSource: 5 }", "{}"],
      ["listenerPerSource", "", "{}", "{ perSource: 5 }"],
      ["perSource", "127.0.0.0/8", "{ perSource: 5 }", "{}"], // the header is the proxy's, and no word of the client
    ] as const
  ) {
    await using gate = await startGate(`
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls]
    sniffTimeout: 30s
    limits: ${listenerLimits}
    ${proxies && `proxyProtocol: [${proxies}]`}
limits: ${limits}
admin: { address: "off" }`);
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < many; i++) {
      const client = clients.use(await connect(gate.port("edge")));
      if (proxies) await client.write("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n");
      if (i >= 5) equal((await client.readAll().catch(() => "")).length, 0);
    }
    const { connections, ended, limitHits } = await gate.service.status();
    equal([connections, ended, limitHits], [5, [], { ...limitHits, [name]: many - 5 }], name);
    equal(gate.records, []);
    const told = gate.messages.filter((message) => message.startsWith("limit"));
    equal(told.filter((message) => !message.startsWith(`limit ${name} was hit`)), []);
    equal(told.length, 1, name);
  }
});
