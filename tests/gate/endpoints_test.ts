/** Which endpoint of a route gets a connection, as they come and go. */
import { equal, ok } from "../support/assert.ts";
import { Deaf } from "../support/deaf.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { connect, listen, type TestServer } from "../support/net.ts";

const names = (tag: string, port = 0): Promise<TestServer> => listen((socket) => socket.end(tag), port);

/** Who answered one connection; "" where nobody did. */
async function asked(gate: TestGate): Promise<string> {
  await using client = await connect(gate.port("fwd"));
  const answer = await client.text().catch(() => "");
  client.end();
  return answer;
}

/** Asks until it holds; what was answered last. */
async function until(gate: TestGate, is: (answer: string) => boolean): Promise<void> {
  const late = performance.now() + 8000;
  while (!is(await asked(gate))) {
    ok(performance.now() < late, "not in 8 s");
    await new Promise((done) => setTimeout(done, 50));
  }
}

Deno.test("a check finds out that an endpoint went, without a client for it, and that it is back", async () => {
  await using stays = await names("stays");
  const goes = await names("goes");
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", protocols: [tcp] } }
routes:
  - listener: fwd
    to: [{ to: "127.0.0.1:${stays.port}", weight: 1 }, { to: "127.0.0.1:${goes.port}", weight: 1000 }]
    check: { interval: 100ms, timeout: 100ms }
admin: { address: "off" }`);
  equal(await asked(gate), "goes");
  await goes[Symbol.asyncDispose]();
  await new Promise((done) => setTimeout(done, 600)); // two checks and some
  equal(await asked(gate), "stays");
  const { endpoint } = await gate.record(({ endpoint }) => endpoint?.endsWith(`:${stays.port}`) ?? false);
  equal(endpoint, `127.0.0.1:${stays.port}`);
  await using _back = await names("goes", goes.port);
  await until(gate, (answer) => answer === "goes");
  const about = gate.messages.filter((message) => message.startsWith(`endpoint 127.0.0.1:${goes.port} `));
  equal(about.map((message) => message.split(":").slice(0, 2).join(":")), [
    `endpoint 127.0.0.1:${goes.port} is left out for a while`,
    `endpoint 127.0.0.1:${goes.port} is back`,
  ]);
});

Deno.test("one that refuses is left out after two failures, and every client is served meanwhile", async () => {
  await using good = await names("good");
  const bad = await names("bad");
  await bad[Symbol.asyncDispose]();
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", protocols: [tcp] } }
routes: [ { listener: fwd, to: [{ to: "127.0.0.1:${bad.port}", weight: 1000 }, "127.0.0.1:${good.port}"] } ]
admin: { address: "off" }`);
  for (let i = 0; i < 5; i++) equal(await asked(gate), "good");
  await using _back = await names("bad", bad.port);
  equal(await asked(gate), "good"); // it is not tried again at once
  await until(gate, (answer) => answer === "bad"); // but after 5 s
});

Deno.test("one that does not answer leaves time for the next", async () => {
  await using good = await names("good");
  await using deaf = await Deaf.start();
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", protocols: [tcp] } }
routes: [ { listener: fwd, to: [{ to: "127.0.0.1:${deaf.target.port}", weight: 1000 }, "127.0.0.1:${good.port}"] } ]
limits: { dialTimeout: 1s }
admin: { address: "off" }`);
  const start = performance.now();
  equal(await asked(gate), "good");
  ok(performance.now() - start < 1500);
});

Deno.test("in quiet times endpoints take turns by weight, and under load the least loaded is next", async () => {
  await using heavy = await names("heavy");
  await using light = await names("light");
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", protocols: [tcp] } }
routes: [ { listener: fwd, to: [{ to: "127.0.0.1:${heavy.port}", weight: 3 }, "127.0.0.1:${light.port}"] } ]
admin: { address: "off" }`);
  const answers: string[] = [];
  for (let i = 0; i < 200; i++) answers.push(await asked(gate));
  const share = answers.filter((answer) => answer === "light").length;
  ok(share > 15 && share < 100, `light was asked ${share} times of 200, for 50`);
});
