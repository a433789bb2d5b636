/** Requests and responses that do not go by in one piece, through a real gate with raw peers. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect, pattern } from "../../support/net.ts";

const gateTo = (port: number, more = "", limits = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}"${more} }]
limits: { idleTimeout: 10s${limits} }
`);
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

Deno.test("content of every framing and size arrives byte by byte, both ways", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const head = await peer.head(), size = Number(/x-size: (\d+)/i.exec(head)![1]);
      if (/chunked/.test(head)) {
        await peer.until(({ received }) => received.includes("\r\n0\r\n\r\n"));
        const all = peer.take(peer.received.length);
        peer.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${all}`);
      } else {
        const content = await peer.content(size);
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${content}`);
      }
    }
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  for (const size of [1, 1000, 16_000, 70_000, 300_000, 3_000_000]) {
    const bytes = pattern(size), text = latin1(bytes);
    await client.write(`POST /l HTTP/1.1\r\nHost: a\r\nX-Size: ${size}\r\nContent-Length: ${size}\r\n\r\n`);
    await client.write(bytes);
    equal((await readResponse(client)).content === text, true, `${size} by length`);
    const cut = Math.min(size, 20_000),
      head = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    await client.write(`${head}X-Size: ${size}\r\n\r\n`);
    for (let at = 0; at < size; at += cut) {
      const part = bytes.subarray(at, at + cut);
      await client.write(`${part.length.toString(16)}\r\n`);
      await client.write(part);
      await client.write("\r\n");
    }
    await client.write("0\r\n\r\n");
    equal((await readResponse(client)).content === text, true, `${size} in chunks`);
  }
  equal(upstream.peers.length, 1);
});

Deno.test("a response says when it was made, or when it came; an interim one need not", async () => {
  const given = "Date: Thu, 01 Jan 2026 00:00:00 GMT";
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const dated = (await peer.head()).startsWith("GET /dated ");
      const own = dated ? `${given}\r\n` : "";
      peer.write(
        `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\n${own}Content-Length: 2\r\n\r\nno`,
      );
    }
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  const datesOf = async (path: string) => {
    await client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const heads = [(await readResponse(client)).head, (await readResponse(client)).head];
    return heads.map((head) => head.match(/^Date: .*(?=\r$)/gim) ?? []);
  };
  equal(await datesOf("/dated"), [[], [given]]);
  const [interim, [date, ...more]] = await datesOf("/undated");
  equal([interim, more], [[], []]);
  ok(/^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(date), date);
});

Deno.test("a client that waits for 100 gets it, and sends its content then", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    ok(/expect: 100-continue/i.test(await peer.head()));
    equal(peer.received.length, 0);
    peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    equal(await peer.content(5), "hello");
    peer.write(OK);
    await echoRequests(peer);
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  equal((await readResponse(client)).status, 100);
  await client.write("hello");
  equal((await readResponse(client)).content, "ok");
  await client.write("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  equal((await readResponse(client)).content, "/next ");
});

Deno.test("an answer that comes before the content is through goes on at once, and ends both connections", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
  });
  await using gate = await gateTo(upstream.port);
  for (const framing of ["Content-Length: 50000000", "Transfer-Encoding: chunked"]) {
    await using client = await connect(gate.port("web"));
    await client.write(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    const { status, head, content } = await readResponse(client);
    equal([status, content, /connection: close/i.test(head)], [413, "big", true]);
    equal((await client.readAll()).length, 0);
    const peer = await upstream.next();
    await peer.until(({ closed }) => closed);
  }
  equal((await gate.record()).outcome, "ok");
});

Deno.test("an upgrade becomes a relay, with what was sent ahead, and counts as one request", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    const head = await peer.head();
    ok(/connection: upgrade\r\n/i.test(head) && /upgrade: websocket\r\n/i.test(head), head);
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst");
    equal(await peer.content(9), "sentahead");
    peer.write("last");
    peer.socket.end();
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write(
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\nsent",
  );
  equal((await readResponse(client)).status, 101);
  equal(latin1(await client.read(5)), "first");
  await client.write("ahead");
  equal(latin1(await client.read(4)), "last");
  client.end();
  const { outcome, down } = await gate.record();
  equal([outcome, gate.requests.map(({ path, status }) => [path, status])], ["ok", [["/ws", 101]]]);
  ok(down > 80, String(down));
});

/** The gate has seen by then what upstreams had sent before. */
async function anotherIsServed(port: number): Promise<void> {
  await using client = await connect(port);
  await client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  equal((await readResponse(client)).content, "ok");
}

Deno.test("who switches protocols ahead of the request's content gets all of that first", async () => {
  const size = 12_000_000, switched = Promise.withResolvers<void>(), all = Promise.withResolvers<void>();
  await using upstream = await rawUpstream(async (peer) => {
    if ((await peer.head()).startsWith("GET ")) return peer.write(OK);
    peer.socket.pause(); // so that content waits on its way
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst");
    switched.resolve();
    await all.promise;
    peer.socket.resume();
    equal(await peer.content(size) === latin1(pattern(size)), true);
    equal(await peer.content(6), "behind");
    peer.write("last");
    peer.socket.end();
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  const head = "POST /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n";
  await client.write(`${head}Content-Length: ${size}\r\n\r\n`);
  const written = client.write(pattern(size));
  await switched.promise;
  await anotherIsServed(gate.port("web"));
  all.resolve();
  await written;
  await client.write("behind");
  equal((await readResponse(client)).status, 101);
  equal(latin1(await client.read(9)), "firstlast");
  client.end();
  equal((await gate.record(({ up }) => up > size)).outcome, "ok");
  equal(gate.requests.map(({ path, status, up }) => [path, status, up]), [["/", 200, 0], ["/ws", 101, size]]);
});

Deno.test("a switch of protocols ahead of content that breaks off is none", async () => {
  const switched = Promise.withResolvers<void>();
  await using upstream = await rawUpstream(async (peer) => {
    if ((await peer.head()).startsWith("GET ")) return peer.write(OK);
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    switched.resolve();
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  const head = "POST /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n";
  await client.write(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  await switched.promise;
  await anotherIsServed(gate.port("web"));
  await client.write("x\r\n");
  equal((await readResponse(client)).status, 400);
  equal((await gate.request(({ path }) => path === "/ws")).outcome, "malformed");
});

Deno.test("a refused upgrade is a plain answer, and the connection goes on", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  equal((await readResponse(client)).content, "/ws ");
  await client.write("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  equal((await readResponse(client)).content, "/2 ");
});

Deno.test("HTTP/1.0 gets no chunks and no interim response, and is closed unless it says keep-alive", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      ok((await peer.head()).startsWith("GET / HTTP/1.1\r\n"));
      peer.write(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      );
      await peer.head();
      peer.write(OK);
    }
  });
  await using gate = await gateTo(upstream.port);
  await using chunked = await connect(gate.port("web"));
  await chunked.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const text = await chunked.text();
  ok(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\nDate: [^\r]*\r\n\r\nok$/.test(text), text);
  await using kept = await connect(gate.port("web"));
  await kept.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ok(/connection: keep-alive/i.test((await readResponse(kept)).head));
});

Deno.test("a HEAD's length is not waited for, and Connection: close is obeyed", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write(
    "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\nGET /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  ok(/Content-Length: 3/.test((await readResponse(client, true)).head));
  const { head, content } = await readResponse(client);
  equal([content, /connection: close/i.test(head)], ["/g ", true]);
  equal((await client.readAll()).length, 0);
});

Deno.test("the number of requests of a connection is bounded", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port, "", ", requestsPerConnection: 2");
  await using client = await connect(gate.port("web"));
  await client.write(
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  ok(!/connection: close/i.test((await readResponse(client)).head));
  ok(/connection: close/i.test((await readResponse(client)).head));
  equal((await client.readAll()).length, 0);
});
