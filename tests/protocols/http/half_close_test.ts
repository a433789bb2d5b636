/** Who has said everything ends its side, and hears the rest: requests, responses and tunnels, on every way. */
import { equal, ok } from "../../support/assert.ts";
import { Crossing, nameOfWay, type Way, WAYS } from "../../support/crossings.ts";
import { echoRequests, readResponse } from "../../support/http_peers.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const post = (path: string, content: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${content.length}\r\n\r\n${content}`;
const UPGRADE = "GET /up HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const MUCH = "y".repeat(500_000);

/** Requests, and the end behind them: each is answered, and then the client sees the end. */
async function endsBehindRequests(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way, echoRequests);
  for (const requests of [[get("/1")], [post("/1", MUCH)], [get("/1"), post("/2", "some"), get("/3")]]) {
    await using client = await crossing.connect();
    await client.write(requests.join(""));
    client.end();
    for (const [at] of requests.entries()) {
      const { status, content } = await readResponse(client);
      equal([status, content.startsWith(`/${at + 1} `)], [200, true]);
    }
    equal((await client.readAll()).length, 0);
    equal((await crossing.gate.record(({ protocol }) => protocol === "http")).outcome, "ok");
  }
}

/** A response whose connection ends behind it, though nobody said so: it is whole, and nobody else gets that connection. */
async function upstreamEndsBehindResponses(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way, async (peer) => {
    await peer.head();
    peer.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${MUCH.length}\r\n\r\n${MUCH}`);
  });
  await using client = await crossing.connect();
  for (let asked = 1; asked <= 3; asked++) {
    await client.write(get(`/${asked}`));
    const { status, content } = await readResponse(client);
    equal([status, content === MUCH], [200, true]);
  }
  equal(crossing.upstream.peers.length, 3);
}

/** What an upgrade made: either side ends first, and the other's words still come. */
async function tunnelsEnd(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way);
  for (const first of ["client", "upstream"] as const) {
    await using client = await crossing.connect();
    await client.write(UPGRADE);
    const peer = await crossing.upstream.next();
    await peer.head();
    peer.write(SWITCHED);
    equal((await readResponse(client)).status, 101);
    if (first === "client") {
      await client.write(MUCH);
      client.end();
      await peer.until(({ ended }) => ended);
      equal(peer.text === MUCH, true);
      peer.socket.end(MUCH);
      equal(await client.text() === MUCH, true);
    } else {
      peer.socket.end(MUCH);
      equal(await client.text() === MUCH, true);
      await client.write(MUCH);
      client.end();
      await peer.until(({ received }) => received.length >= MUCH.length);
      equal(peer.text === MUCH, true);
    }
    const { outcome, up, down } = await crossing.gate.record(({ protocol }) => protocol === "http");
    equal(outcome, "ok", first);
    ok(up >= MUCH.length && down >= MUCH.length, `${up} up, ${down} down`);
  }
}

for (const way of WAYS) {
  const name = nameOfWay(way);
  Deno.test(`${name}: a client that ends behind its requests gets all of its answers`, () =>
    endsBehindRequests(way));
  Deno.test(`${name}: an upstream that ends behind each response costs none`, () =>
    upstreamEndsBehindResponses(way));
  Deno.test(`${name}: a tunnel carries what one side says after the other has ended`, () => tunnelsEnd(way));
}
