/** A client that has ended and is gone does not hold its upstream; one that only has nothing more to say is served. */
import { IPPROTO_TCP } from "../../../gate/engine/layout.ts";
import { localAddress } from "../../../gate/engine/sockaddr.ts";
import { setOption } from "../../../gate/engine/sys.ts";
import { equal } from "../../support/assert.ts";
import { Crossing, type Way, WAYS } from "../../support/crossings.ts";
import { type RawPeer, readResponse } from "../../support/http_peers.ts";
import type { Client } from "../../support/net.ts";

const GET = "GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
const upgrade = (protocol: string) =>
  `GET /up HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const switched = (protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

/** RFC 9293 3.6: how long the kernel answers for a socket that was closed behind its FIN, s; a minute by default. */
const TCP_LINGER2 = 8;

/** Ends and closes, as a process that exits: the gate sees a FIN and no reset. */
async function leave(client: Client): Promise<void> {
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    const fd = Number(name);
    if (localAddress(fd)?.port === client.socket.localPort) setOption(fd, IPPROTO_TCP, TCP_LINGER2, 1);
  }
  await new Promise<void>((ended) => client.socket.end(ended));
  await client[Symbol.asyncDispose]();
}

async function asks(crossing: Crossing): Promise<[Client, RawPeer]> {
  const client = await crossing.connect();
  await client.write(GET);
  const peer = await crossing.upstream.next();
  await peer.head();
  return [client, peer];
}

async function tunnels(crossing: Crossing, protocol: string): Promise<[Client, RawPeer]> {
  const client = await crossing.connect();
  await client.write(upgrade(protocol));
  const peer = await crossing.upstream.next();
  await peer.head();
  peer.write(switched(protocol));
  equal((await readResponse(client)).status, 101);
  return [client, peer];
}

const LIMITS = { idleTimeout: "1h" };

async function noticesWhoIsGone(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way, undefined, LIMITS);
  const [gone, asked] = await asks(crossing), [waiting, answers] = await asks(crossing);
  const [left] = await tunnels(crossing, "x"), [listening, speaks] = await tunnels(crossing, "x");
  await using _waiting = waiting;
  await using _listening = listening;
  waiting.end();
  listening.end();
  await leave(gone);
  await leave(left);
  await asked.until(({ ended }) => ended);
  const request = await crossing.gate.request(({ status }) => !status);
  equal([request.outcome, request.side], ["reset", "client"]);
  for (const _ of [gone, left]) {
    const { outcome, side } = await crossing.gate.record(({ protocol }) => protocol === "http");
    equal([outcome, side], ["reset", "client"]);
  }
  answers.write(OK);
  equal((await readResponse(waiting)).content, "late");
  speaks.socket.end("much later");
  equal(await listening.text(), "much later");
}

async function endsWebSockets(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way, undefined, LIMITS);
  const [other, speaks] = await tunnels(crossing, "x");
  await using _other = other;
  other.end();
  const [one] = await tunnels(crossing, "WebSocket"), [two, peer] = await tunnels(crossing, "websocket");
  await using _one = one;
  await using _two = two;
  one.end();
  peer.socket.end();
  for (const first of ["client", "upstream"]) {
    const { outcome } = await crossing.gate.record(({ side }) => side === first, 60_000);
    equal(outcome, "closed");
  }
  speaks.socket.end("still");
  equal(await other.text(), "still");
}

Deno.test("on every way: who has closed is noticed while nothing is sent to it, who only has ended is not", async () => {
  await Promise.all(WAYS.flatMap((way) => [noticesWhoIsGone(way), endsWebSockets(way)])); // 10 s of silence each
});
