/** Upstream connections between requests: who gets them, and when they end. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { echoRequests, type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect } from "../../support/net.ts";

const gateTo = (port: number, more = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}"${more} }]
limits: { idleTimeout: 10s, grace: 5s }
`);

async function get(client: Client, fields = ""): Promise<string> {
  await client.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return (await readResponse(client)).content;
}

/** Says on every connection which one it is. */
const numbered = (upstream: () => { peers: RawPeer[] }, fields = "") => async (peer: RawPeer) => {
  const name = String(upstream().peers.indexOf(peer));
  for (;;) {
    await peer.head();
    peer.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${name.length}\r\n\r\n${name}`);
  }
};

Deno.test("clients one after the other share an upstream connection", async () => {
  await using upstream = await rawUpstream((peer) => numbered(() => upstream)(peer));
  await using gate = await gateTo(upstream.port);
  for (let i = 0; i < 3; i++) {
    await using client = await connect(gate.port("web"));
    equal(await get(client), "0");
  }
});

Deno.test("one that spoke unasked, or closed, is used by nobody", async () => {
  for (const farewell of ["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", ""]) {
    await using upstream = await rawUpstream((peer) => numbered(() => upstream)(peer));
    await using gate = await gateTo(upstream.port);
    await using client = await connect(gate.port("web"));
    equal(await get(client), "0");
    const [first] = upstream.peers;
    if (farewell) first.write(farewell);
    else first.socket.end();
    await first.until(({ closed, ended }) => closed || ended);
    equal(await get(client), "1");
  }
});

Deno.test("bytes behind a response are no response to anybody", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < 3; i++) equal(await get(client), "ok");
  equal(upstream.peers.length, 3);
});

Deno.test("an upstream that knows its client by NTLM, or by a PROXY header, stays with that connection", async () => {
  await using ntlm = await rawUpstream((peer) => numbered(() => ntlm, "WWW-Authenticate: NTLM\r\n")(peer));
  await using told = await rawUpstream(async (peer) => {
    await peer.until(({ received }) => received.includes("\r\n"));
    peer.take(peer.received.indexOf("\r\n") + 2);
    await numbered(() => told)(peer);
  });
  for (const [upstream, more] of [[ntlm, ""], [told, ", proxyProtocol: v1"]] as const) {
    await using gate = await gateTo(upstream.port, more);
    await using one = await connect(gate.port("web"));
    await using other = await connect(gate.port("web"));
    equal([await get(one), await get(other), await get(one), await get(other)], ["0", "1", "0", "1"]);
    one.end();
    await upstream.peers[0].until(({ ended }) => ended);
    await using third = await connect(gate.port("web"));
    equal(await get(third), "2");
  }
});

Deno.test("weights and several targets: each gets requests, and one that is gone is left out", async () => {
  await using a = await rawUpstream(echoRequests);
  await using b = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: [{ to: "http://127.0.0.1:${a.port}", weight: 3 }, { to: "http://127.0.0.1:${b.port}", weight: 1 }] }]
`);
  for (let i = 0; i < 60; i++) {
    await using client = await connect(gate.port("web"));
    await get(client);
  }
  ok(a.peers.length > 0 && b.peers.length > 0);
  const { port } = b;
  await b[Symbol.asyncDispose]();
  await using client = await connect(gate.port("web"));
  for (let i = 0; i < 20; i++) equal(await get(client), "/ ");
  ok(gate.requests.every(({ status }) => status === 200), `${port}`);
});

Deno.test("a gate that stops lets a request end, and idle connections at once", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateTo(upstream.port);
  await using idle = await connect(gate.port("web"));
  await using busy = await connect(gate.port("web"));
  await idle.write("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
  const first = await upstream.next();
  await first.head();
  first.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await readResponse(idle);
  await busy.write("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  await first.head();
  const drained = gate.service.drain();
  equal((await idle.readAll()).length, 0);
  idle.end();
  first.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const { head, content } = await readResponse(busy);
  equal([content, /connection: close/i.test(head)], ["ok", true]);
  busy.end();
  await drained;
});

Deno.test("what may go no further takes no upstream, neither a new one nor an idle one", async () => {
  await using upstream = await rawUpstream((peer) => numbered(() => upstream)(peer));
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  const ends = async (method: string) => {
    await client.write(`${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n`);
    return (await readResponse(client)).status;
  };
  equal([await ends("OPTIONS"), upstream.peers.length], [501, 0]);
  equal(await get(client), "0");
  equal([await ends("TRACE"), await get(client), upstream.peers.length], [501, "0", 1]);
});
