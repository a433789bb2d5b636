/** `mirror` through a running gate. */
import { equal, ok } from "../../support/assert.ts";
import { Deaf } from "../../support/deaf.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect, pattern } from "../../support/net.ts";

const configured = (port: number, mirror: string) => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}", mirror: "${mirror}" }]
limits: { idleTimeout: 10s }
admin: { address: off }
`;
const gateTo = (port: number, mirror: number) => startGate(configured(port, `http://127.0.0.1:${mirror}`));
const GET = "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nX-Mine: 1\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const hits = async (gate: TestGate) => (await gate.service.status()).limitHits["mirror"] ?? 0;

/** Waits until so many copies were dropped. */
async function dropped(gate: TestGate, count: number): Promise<void> {
  const late = performance.now() + 15_000;
  while (await hits(gate) < count) {
    ok(performance.now() < late, `${await hits(gate)} were dropped, not ${count}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

Deno.test("the mirror gets what the upstream gets, octet by octet, over one connection, and nobody its answer", async () => {
  await using upstream = await rawUpstream();
  await using mirror = await rawUpstream();
  await using gate = await gateTo(upstream.port, mirror.port);
  await using client = await connect(gate.port("web"));
  const chunks = "5\r\nhello\r\n0\r\n\r\n";
  const requests: [request: string, later: string, size: number][] = [
    [GET, "", 0],
    ["HEAD /h HTTP/1.1\r\nHost: a.example\r\n\r\n", "", 0],
    ["POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello", "", 5],
    ["POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhel", "lo...", 8],
    ["PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, chunks.length],
  ];
  let sent, copied;
  for (const [request, later, size] of requests) {
    await client.write(request);
    sent ??= await upstream.next();
    const head = await sent.head();
    await client.write(later);
    const content = await sent.content(size);
    copied ??= await mirror.next();
    equal([await copied.head(), await copied.content(size)], [head, content]);
    copied.write(
      head.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" : OK.replace("ok", "no"),
    );
    sent.write(head.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : OK);
    equal((await readResponse(client, head.startsWith("HEAD"))).status, 200);
    await new Promise((done) => setTimeout(done, 50)); // the mirror's connection comes to rest
  }
  equal([mirror.peers.length, await hits(gate)], [1, 0]);
});

Deno.test("a mirror's answers of every kind are thrown away", async () => {
  const answers = [
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    `HTTP/1.1 500 Broken\r\nContent-Length: 200000\r\n\r\n${"x".repeat(200_000)}`,
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nto the end",
    "garbage\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
  ];
  await using upstream = await rawUpstream(echoRequests);
  await using mirror = await rawUpstream(async (peer) => {
    for (;;) {
      await peer.head();
      const answer = answers.shift()!;
      peer.write(answer);
      if (/the end|Length: 5/.test(answer)) peer.socket.end();
    }
  });
  await using gate = await gateTo(upstream.port, mirror.port);
  await using client = await connect(gate.port("web"));
  while (answers.length > 0) {
    const left = answers.length;
    await client.write(GET);
    equal((await readResponse(client)).content, "/a?b=c ");
    while (answers.length === left) await new Promise((done) => setTimeout(done, 10));
    await new Promise((done) => setTimeout(done, 50));
  }
  await dropped(gate, 2); // the garbage, and the answer that was cut
  equal(mirror.peers.length, 4);
});

Deno.test("a mirror that is not there, or that nobody answers at, slows nobody", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const gone = await rawUpstream();
  await gone[Symbol.asyncDispose]();
  await using deaf = await Deaf.start();
  for (const port of [gone.port, deaf.target.port]) {
    await using gate = await gateTo(upstream.port, port);
    await using client = await connect(gate.port("web"));
    for (let i = 0; i < 50; i++) {
      await client.write(GET);
      equal((await readResponse(client)).status, 200);
    }
    if (port === gone.port) await dropped(gate, 50);
  }
});

Deno.test("a mirror that takes nothing costs a bounded amount: what is beyond it is dropped and counted", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using mirror = await rawUpstream((peer) => void peer.socket.pause());
  await using gate = await gateTo(upstream.port, mirror.port);
  await using client = await connect(gate.port("web"));
  const size = 1024 * 1024, content = pattern(size);
  for (let i = 0; i < 12; i++) {
    await client.write(`POST /${i} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`);
    await client.write(content);
    equal((await readResponse(client)).content.length, size + `/${i} `.length);
  }
  const lost = await hits(gate);
  ok(lost >= 4 && lost < 12, `${lost} of 12 were dropped`);
});

Deno.test("large content, and what becomes another protocol, is not mirrored", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const head = await peer.head();
      if (head.includes("chunked")) {
        await peer.until(({ received }) => received.toString("latin1").endsWith("0\r\n\r\n"));
      } else await peer.content(Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0));
      peer.received = peer.received.subarray(peer.received.length);
      peer.write(OK);
    }
  });
  await using mirror = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port, mirror.port);
  await using client = await connect(gate.port("web"));
  const size = 1024 * 1024 + 1, content = pattern(size);
  await client.write(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`);
  await client.write(content);
  equal((await readResponse(client)).content, "ok");
  await client.write("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let i = 0; i < 3; i++) {
    await client.write(`${size.toString(16)}\r\n`);
    await client.write(content);
    await client.write("\r\n");
  }
  await client.write("0\r\n\r\n");
  equal((await readResponse(client)).content, "ok");
  await client.write(
    "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  equal((await readResponse(client)).content, "ok");
  equal([await hits(gate), mirror.peers.length], [2, 0]);
});

Deno.test("a request that breaks off is not mirrored", async () => {
  await using upstream = await rawUpstream();
  await using mirror = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port, mirror.port);
  await using client = await connect(gate.port("web"));
  await client.write("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50\r\n\r\nhello");
  await (await upstream.next()).until(({ text }) => text.endsWith("hello"));
  client.reset();
  equal((await gate.record()).outcome, "reset");
  await dropped(gate, 1);
  equal(mirror.peers.length, 0);
});

Deno.test("a mirror that is the gate itself, behind a name, is not dialed", async () => {
  const free = await rawUpstream(echoRequests), { port } = free;
  await free[Symbol.asyncDispose]();
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(
    `hosts: { me.example: { addresses: ["127.0.0.1"] } }` +
      configured(upstream.port, `http://me.example:${port}`).replace("127.0.0.1:0", `127.0.0.1:${port}`),
  );
  await using client = await connect(port);
  await client.write(GET);
  equal((await readResponse(client)).status, 200);
  await dropped(gate, 1);
  client.end();
  await gate.record();
  equal(gate.requests.length, 1);
});
