/** `retries` through a running gate, with upstreams that fail in chosen ways. */
import "../../../gate/engine/usage.ts"; // its library stays open: not in a test
import { Deaf } from "../../support/deaf.ts";
import { equal, ok } from "../../support/assert.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, lengthOf, type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect } from "../../support/net.ts";

const ok200 = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const failed = (status: number) => `HTTP/1.1 ${status} Failed\r\nContent-Length: 6\r\n\r\nfailed`;

/** `bad` is asked first, for its weight. */
const gateTo = (bad: number, good: number, retries: string, more = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - to: [{ to: "http://127.0.0.1:${bad}", weight: 1000 }, "http://127.0.0.1:${good}"]
    retries: ${retries}
    ${more}
limits: { idleTimeout: 10s }
admin: { address: off }
`);
const alone = (port: number, retries: string, more = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}", retries: ${retries}${more} }]
limits: { idleTimeout: 10s, dialTimeout: 500ms }
admin: { address: off }
`);

/** Does `act` to every request that comes. */
function failing(act: (peer: RawPeer, head: string) => void | Promise<void>) {
  const seen: string[] = [];
  return rawUpstream(async (peer) => {
    for (;;) {
      const head = await peer.head();
      seen.push(head.split(" ")[0] + (await peer.content(lengthOf(head))));
      await act(peer, head);
    }
  }).then((upstream) => Object.assign(upstream, { seen }));
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (method: string) => `${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`;

async function asked(gate: TestGate, request: string) {
  await using client = await connect(gate.port("web"));
  await client.write(request);
  const { status, content } = await readResponse(client);
  client.end();
  await gate.record();
  return [status, content, gate.requests.at(-1)!.retries];
}

Deno.test("a status that is named is asked again elsewhere, where that is safe", async () => {
  await using bad = await failing((peer) => peer.write(failed(503)));
  await using good = await failing((peer) => peer.write(ok200("good")));
  await using gate = await gateTo(bad.port, good.port, "{ attempts: 1, on: [503] }");
  equal(await asked(gate, GET), [200, "good", 1]);
  equal(await asked(gate, post("PUT")), [200, "good", 1]);
  equal(await asked(gate, post("POST")), [503, "failed", undefined]);
  ok((await gate.service.metrics()).includes('ugate_retries_total{route="*"} 2\n'));
  equal(bad.seen, ["GET", "PUThello", "POSThello"]);
  equal(good.seen, ["GET", "PUThello"]);
});

Deno.test("content that came behind its head is not at hand any more, so it is not sent again", async () => {
  await using bad = await failing((peer) => peer.write(failed(503)));
  await using good = await failing((peer) => peer.write(ok200("good")));
  await using gate = await gateTo(bad.port, good.port, "{ on: [503] }");
  await using client = await connect(gate.port("web"));
  await client.write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  await (await bad.next()).until(({ received }) => received.toString().endsWith("he"));
  await client.write("llo");
  equal((await readResponse(client)).status, 503);
  await client.write(GET);
  equal((await readResponse(client)).content, "good");
});

Deno.test("another status, or none named, is what the client gets", async () => {
  await using bad = await failing((peer) => peer.write(failed(503)));
  await using good = await failing((peer) => peer.write(ok200("good")));
  await using gate = await gateTo(bad.port, good.port, "{ on: [connect, 502, 504] }");
  equal(await asked(gate, GET), [503, "failed", undefined]);
  equal(good.seen, []);
});

Deno.test("after the last attempt the client gets what came of it, and its connection goes on", async () => {
  await using bad = await failing((peer) => peer.write(failed(503)));
  await using gate = await alone(bad.port, "{ attempts: 3, on: [503] }");
  await using client = await connect(gate.port("web"));
  for (let i = 1; i <= 2; i++) {
    await client.write(GET);
    const { status, content, head } = await readResponse(client);
    equal([status, content, /connection: close/i.test(head)], [503, "failed", false]);
    equal(bad.seen.length, 4 * i);
  }
});

Deno.test("an upstream that breaks before its answer counts as a 502", async () => {
  const acts: ((peer: RawPeer) => void)[] = [
    (peer) => peer.socket.resetAndDestroy(),
    (peer) => peer.socket.end(),
    (peer) => peer.socket.end("HTTP/1.1 200 O"),
    (peer) => peer.socket.end("HTTP/1.1 103 Early Hints\r\n\r\n"),
    (peer) => peer.write("220 mail.example\r\n"),
  ];
  let act = acts[0];
  await using bad = await failing((peer) => act(peer));
  await using good = await failing((peer) => peer.write(ok200("good")));
  await using gate = await gateTo(bad.port, good.port, "{ attempts: 1, on: [502] }");
  await using without = await gateTo(bad.port, good.port, "{ attempts: 1, on: [connect, 503, 504] }");
  for (act of acts) {
    for (const [each, expected] of [[gate, 200], [without, 502]] as const) {
      await using client = await connect(each.port("web"));
      await client.write(GET);
      let { status } = await readResponse(client);
      while (status === 103) ({ status } = await readResponse(client));
      equal(status, expected, String(act));
    }
  }
});

Deno.test("nothing is sent again once the client has a byte of a response", async () => {
  await using bad = await failing((peer) =>
    void peer.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
  );
  await using good = await failing((peer) => peer.write(ok200("good")));
  await using gate = await gateTo(bad.port, good.port, "{ on: [connect, 502, 503, 504] }");
  await using client = await connect(gate.port("web"));
  await client.write(GET);
  equal(await client.readAll().then(() => undefined, (thrown) => thrown.code), "ECONNRESET");
  equal(good.seen, []);
});

Deno.test("the route's timeout is for all attempts together", async () => {
  await using silent = await failing(() => {});
  await using gate = await alone(
    silent.port,
    "{ attempts: 9, on: [connect, 502, 503, 504] }",
    ", timeout: 300ms",
  );
  equal((await asked(gate, GET))[0], 504);
  equal(silent.seen.length, 1);
  await using late = await failing((peer) => peer.write(failed(504)));
  await using other = await alone(late.port, "{ attempts: 2, on: [504] }", ", timeout: 5s");
  equal(await asked(other, GET), [504, "failed", 2]);
});

Deno.test("who cannot be reached is dialed again, with any method, and hears of the request once", async () => {
  const reserved = await rawUpstream(), { port } = reserved;
  await reserved[Symbol.asyncDispose]();
  await using gate = await alone(port, "{ attempts: 10, on: [connect] }", ", timeout: 30s");
  await using client = await connect(gate.port("web"));
  await client.write(post("POST"));
  await new Promise((done) => setTimeout(done, 200));
  await using upstream = await rawUpstream(echoRequests, port);
  equal((await readResponse(client)).content, "/ hello");
  equal(upstream.peers.length, 1);
  client.end();
  await gate.record();
  ok(gate.requests[0].retries! > 0);
});

Deno.test("who cannot be reached in the route's time is given up", async () => {
  const reserved = await rawUpstream(), { port } = reserved;
  await reserved[Symbol.asyncDispose]();
  for (const retries of ["{ attempts: 10, on: [connect] }", "{ on: [502] }"]) {
    await using gate = await alone(port, retries, ", timeout: 300ms");
    equal((await asked(gate, GET))[0], 502);
  }
  await using deaf = await Deaf.start();
  await using gate = await alone(deaf.target.port, "{ attempts: 10, on: [connect] }", ", timeout: 700ms");
  equal((await asked(gate, post("POST")))[0], 504);
});

Deno.test("a client that leaves between two attempts ends them", async () => {
  const reserved = await rawUpstream(), { port } = reserved;
  await reserved[Symbol.asyncDispose]();
  await using gate = await alone(port, "{ attempts: 10, on: [connect] }", ", timeout: 30s");
  const leave = async (act: (client: Client) => void) => {
    await using client = await connect(gate.port("web"));
    await client.write(GET);
    await new Promise((done) => setTimeout(done, 100));
    act(client);
    return (await gate.record()).outcome;
  };
  equal(await leave((client) => client.reset()), "reset");
});

Deno.test("a connection that was closed while it was idle is no attempt of the route's", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write(ok200("ok"));
    await peer.head();
    peer.socket.destroy();
  });
  await using gate = await alone(upstream.port, "{ attempts: 1, on: [502] }");
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < 4; i++) {
    await client.write(GET);
    equal((await readResponse(client)).content, "ok");
  }
  client.end();
  await gate.record();
  equal(gate.requests.map(({ retries }) => retries), [undefined, undefined, undefined, undefined]);
});
