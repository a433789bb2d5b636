import { equal, ok, rejects } from "../support/assert.ts";
import { inTime } from "../support/attack.ts";
import { Authority } from "../support/certificates.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type Client, connect, listenEcho } from "../support/net.ts";
import { DEATH } from "../support/toy_death.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";

openssl(); // stays loaded
const site = await (await Authority.make("deaths")).issue(["a.example"]);

const descriptors = (): number => [...Deno.readDirSync("/proc/self/fd")].length;

async function echoes(client: Client): Promise<boolean> {
  try {
    await client.write("x");
    await client.read(1);
    return true;
  } catch {
    return false;
  }
}

/** Connects until a connection is served: another engine may be told of it a moment later. */
async function served(port: number): Promise<Client> {
  const late = performance.now() + 10_000;
  for (;;) {
    const client = await connect(port);
    if (await echoes(client)) return client;
    await client[Symbol.asyncDispose]();
    ok(performance.now() < late, "nobody serves");
  }
}

/** Clients of `fwd` that are served, some by each of two engines: one that is busy leaves the next to the other. */
async function spread(gate: TestGate): Promise<Client[]> {
  const clients: Client[] = [];
  for (;;) {
    clients.push(...await Promise.all(Array.from({ length: 30 }, () => served(gate.port("fwd")))));
    const { connections } = await gate.service.connections(1000);
    const own = connections.filter(({ listener }) => listener === "fwd");
    if (new Set(own.map(({ id }) => id % 2)).size === 2) return clients; // numbers tell the engine
    ok(clients.length < 900, "one engine serves everybody");
  }
}

async function kill(port: number): Promise<void> {
  await using client = await connect(port);
  await client.write(DEATH);
  await client.readAll().catch(() => {}); // its descriptor is closed with all others of that engine
}

Deno.test("an engine that dies is started again; what it held is closed and counts no more", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  edge: { address: "127.0.0.1:0", protocols: [death, ssh] }
  secure: { address: "127.0.0.1:0", protocols: [tls, http] } # OpenSSL calls back into a thread that has contexts
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
routes: [{ host: a.example, respond: { status: 200 } }]
admin: { address: "off" }`);
  const port = gate.port("fwd");
  await (await served(port))[Symbol.asyncDispose]();
  const before = { open: descriptors(), sockets: echo.sockets.length };
  for (let death = 1; death <= 2; death++) {
    const clients: Client[] = [];
    for (let i = 0; i < 20; i++) clients.push(await served(port));
    await kill(gate.port("edge"));
    for (const client of clients) {
      await client.readAll().catch(() => {}); // an end or a reset, and not silence
      await client[Symbol.asyncDispose]();
    }
    const client = await served(port);
    const { engines, connections, endpoints, listeners } = await gate.service.status();
    equal(engines, [{ engine: 0, restarts: death, alive: true }]);
    equal([connections, endpoints[0].active, listeners[0].active], [1, 1, 1]);
    await client[Symbol.asyncDispose]();
  }
  const late = performance.now() + 5000;
  for (const socket of echo.sockets) socket.destroy();
  while (descriptors() > before.open && performance.now() < late) {
    await new Promise((done) => setTimeout(done, 20));
  }
  ok(descriptors() <= before.open, `${descriptors()} descriptors are open, ${before.open} were`);
  const told = gate.messages.filter((message) => message.includes("engine 0"));
  equal(
    told.filter((message) =>
      /ended by itself; \d{2} descriptors it left are closed, it is started again/.test(message)
    ).length,
    2,
  );
});

Deno.test("the number of a refused connection's descriptor is nobody's: who has it next keeps it when the engine dies", async () => {
  await using echo = await listenEcho();
  const text = (more: string) => `
listeners:
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  edge: { address: "127.0.0.1:0", protocols: [death, ssh], limits: { connections: 1 } }
  ${more}
admin: { address: "off" }`;
  await using gate = await startGate(text(""));
  await using killer = await connect(gate.port("edge"));
  await using refused = await connect(gate.port("edge"));
  equal(await refused.readAll().then((bytes) => bytes.length, () => 0), 0);
  const more = text(`more: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }`);
  equal((await gate.reload(more)).result, "applied"); // its socket has the lowest number that is free
  await killer.write(DEATH);
  await killer.readAll().catch(() => {});
  for (const name of ["fwd", "more"]) await (await served(gate.port(name)))[Symbol.asyncDispose]();
});

Deno.test("the other engines go on while one dies", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  edge: { address: "127.0.0.1:0", protocols: [death, ssh] }
engine: { threads: 2 }
admin: { address: "off" }`);
  const clients = await spread(gate);
  await kill(gate.port("edge"));
  const alive = await Promise.all(clients.map(echoes));
  const lost = alive.filter((still) => !still).length;
  ok(lost > 0 && lost < clients.length, `${lost} of ${clients.length} were the dead one's`);
  for (const client of clients) await client[Symbol.asyncDispose]();
  const client = await served(gate.port("fwd"));
  await client[Symbol.asyncDispose]();
  const late = performance.now() + 5000;
  while ((await gate.service.status()).engines.some(({ alive }) => !alive)) {
    ok(performance.now() < late, "it is not started again");
    await new Promise((done) => setTimeout(done, 20));
  }
});

Deno.test("an engine that dies while the gate drains takes its own with it; who is on the others is waited for", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  edge: { address: "127.0.0.1:0", protocols: [death, ssh], sniffTimeout: 5m }
engine: { threads: 2 }
limits: { grace: 5m }
admin: { address: "off" }`);
  await using killer = await connect(gate.port("edge"));
  const port = gate.port("fwd"), clients = await spread(gate);
  let over = false;
  const drained = gate.service.drain().then(() => over = true);
  while (!gate.messages.some((message) => message.startsWith("stopping"))) {
    await new Promise((done) => setTimeout(done, 20));
  }
  await killer.write(DEATH);
  await killer.readAll().catch(() => {});
  const alive = await Promise.all(clients.map(echoes));
  const lost = alive.filter((still) => !still).length;
  ok(lost > 0 && lost < clients.length, `${lost} of ${clients.length} were the dead one's`);
  equal(over, false);
  await rejects(connect(port), /ECONNREFUSED/);
  for (const client of clients) await client[Symbol.asyncDispose]();
  await inTime("the end of the drain", drained);
});
