/** What a client is told when something fails, through a real gate with raw peers. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { echoRequests, type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

const gateTo = (port: number, more = "", limits = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ host: a.example, to: "http://127.0.0.1:${port}"${more} }]
limits: { idleTimeout: 10s${limits} }
`);
const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const NEXT = "GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n";

Deno.test("what cannot be read gets its status, and nothing goes up", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port, "", ", headSize: 1KiB");
  const cases: [request: string, status: number][] = [
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\nHost: a.example\n\n", 400],
    ["POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400],
    ["POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501],
    [`GET /${"a".repeat(2000)} HTTP/1.1\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: a.example\r\nX: ${"a".repeat(2000)}\r\n`, 431],
    ["GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", 505],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ];
  for (const [request, status] of cases) {
    await using client = await connect(gate.port("web"));
    await client.write(request);
    const response = await readResponse(client);
    equal([response.status, /connection: close/i.test(response.head)], [status, true], request.slice(0, 90));
    equal((await client.readAll()).length, 0);
    ok(["malformed", "unsupported"].includes((await gate.record()).outcome));
  }
  for (const peer of upstream.peers) equal(peer.text, "");
});

Deno.test("a request without a route gets 404, and the connection goes on", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write(`GET / HTTP/1.1\r\nHost: b.example\r\n\r\n${NEXT}`);
  equal((await readResponse(client)).status, 404);
  equal((await readResponse(client)).content, "/next ");
  await client.write(`POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 5\r\n\r\nGET /${NEXT}`);
  equal((await readResponse(client)).status, 404);
  equal((await readResponse(client)).content, "/next ");
});

Deno.test("content of more than bodySize gets 413, also where chunks tell it late", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateTo(upstream.port, ", bodySize: 1KiB");
  for (const framing of ["Content-Length: 1025", "Transfer-Encoding: chunked"]) {
    await using client = await connect(gate.port("web"));
    await client.write(`POST / HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n`);
    if (framing.startsWith("T")) await client.write(`300\r\n${"a".repeat(0x300)}\r\n200\r\n`);
    equal((await readResponse(client)).status, 413);
  }
});

Deno.test("an upstream that cannot be reached is a 502, and the connection goes on", async () => {
  const closed = await rawUpstream(), { port } = closed;
  await closed[Symbol.asyncDispose]();
  await using gate = await gateTo(port);
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < 3; i++) {
    await client.write(GET);
    const { status, head } = await readResponse(client);
    equal([status, /connection: close/i.test(head)], [502, false]);
  }
  client.end();
  equal((await gate.record()).outcome, "ok");
  equal(gate.requests.map(({ status, outcome, side }) => [status, outcome, side]), [
    [502, "refused", "upstream"],
    [502, "refused", "upstream"],
    [502, "refused", "upstream"],
  ]);
});

Deno.test("a response that cannot be read, or does not come, is a 502; one that is late a 504", async () => {
  let answer = (_: RawPeer) => {};
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    answer(peer);
  });
  await using gate = await gateTo(upstream.port, ", timeout: 300ms");
  const cases: [(peer: RawPeer) => void, number, string][] = [
    [(peer) => peer.socket.end(), 502, "closed"],
    [(peer) => peer.socket.resetAndDestroy(), 502, "reset"],
    [(peer) => peer.socket.end("HTTP/1.1 200 OK\r\nContent-Le"), 502, "closed"],
    [(peer) => peer.write("SSH-2.0-x\r\n"), 502, "malformed"],
    [
      (peer) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
      502,
      "malformed",
    ],
    [(peer) => peer.write("HTTP/1.1 103 x\r\n\r\n".repeat(20)), 502, "malformed"],
    [() => {}, 504, "timeout"],
  ];
  for (const [act, status, outcome] of cases) {
    answer = act;
    await using client = await connect(gate.port("web"));
    await client.write(GET);
    let response = await readResponse(client);
    while (response.status === 103) response = await readResponse(client);
    equal(response.status, status, outcome);
    client.end();
    await gate.record();
    equal(gate.requests.at(-1)!.outcome, outcome);
  }
});

Deno.test("a response that is cut reaches the client as a reset", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    const head = await peer.head();
    peer.write("HTTP/1.1 200 OK\r\n");
    peer.write(
      head.includes("/chunks")
        ? "Transfer-Encoding: chunked\r\n\r\n5\r\nab"
        : "Content-Length: 90000\r\n\r\nab",
    );
    peer.socket.end();
  });
  await using gate = await gateTo(upstream.port);
  for (const path of ["/length", "/chunks"]) {
    await using client = await connect(gate.port("web"));
    await client.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    const error = await client.readAll().then(() => undefined, (thrown) => thrown.code);
    equal(error, "ECONNRESET", path);
    equal((await gate.record()).outcome, "closed");
    equal([gate.requests.at(-1)!.status, gate.requests.at(-1)!.outcome], [200, "closed"]);
  }
});

Deno.test("an idle upstream that closes just then costs nothing: what is safe is sent again, what is not gets 502", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await peer.head(); // the next one finds nobody
    peer.socket.destroy();
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < 4; i++) {
    await client.write(NEXT);
    equal((await readResponse(client)).content, "ok");
  }
  equal(upstream.peers.length, 4);
  await client.write("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx");
  equal((await readResponse(client)).status, 502);
  equal(upstream.peers.length, 4);
});

Deno.test("a slow head gets 408, a silent connection its end", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    if ((await peer.head()).startsWith("GET")) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  await using gate = await gateTo(
    upstream.port,
    "",
    ", headTimeout: 200ms, keepAlive: 300ms, bodyTimeout: 200ms",
  );
  await using slow = await connect(gate.port("web"));
  await slow.write("GET / HTTP/1.1\r\nHost: a");
  equal((await readResponse(slow)).status, 408);
  equal((await gate.record()).outcome, "timeout");
  await using idle = await connect(gate.port("web"));
  await idle.write(NEXT);
  equal((await readResponse(idle)).status, 200);
  equal((await idle.readAll()).length, 0);
  idle.end();
  equal((await gate.record()).outcome, "ok");
  for (const framing of ["Content-Length: 100", "Content-Length: 100000", "Transfer-Encoding: chunked"]) {
    await using body = await connect(gate.port("web"));
    await body.write(`POST / HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n5\r\n`);
    equal((await readResponse(body)).status, 408, framing);
  }
});

Deno.test("a client that leaves takes its upstream connection with it, at every stage", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateTo(upstream.port);
  for (const answer of ["", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nab"]) {
    for (const request of [GET, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nab"]) {
      await using client = await connect(gate.port("web"));
      await client.write(request);
      const peer = await upstream.next();
      await peer.head();
      peer.write(answer);
      if (answer) await client.read(answer.length);
      client.reset();
      await peer.until(({ closed }) => closed);
      equal((await gate.record()).outcome, "reset");
      equal(gate.requests.at(-1)!.side, "client");
    }
  }
});
