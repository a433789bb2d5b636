/** The corpus once more, through a real gate: what goes up is compared byte by byte with what the codec alone makes. */
import { equal, ok } from "../../support/assert.ts";
import { Crossing, type Way } from "../../support/crossings.ts";
import { latin1, pass } from "../../support/http_codec.ts";
import type { Client } from "../../support/net.ts";
import { seeded } from "../../support/random.ts";
import { readStrictly } from "../../support/strict_reader.ts";
import { REQUESTS } from "./corpus/requests.ts";

const MARK = "Host: mark\r\nConnection: close\r\n\r\n";
/** Sniffing knows fewer methods than the codec: a connection that was told apart takes all of them. */
const first = (at: number) => `GET /the-first-of-${at} HTTP/1.1\r\nHost: mark\r\n\r\n`;
const LAST = `GET /the-last-one HTTP/1.1\r\n${MARK}`;
/** What the gate adds to every request. */
const ADDED =
  /(?:X-Request-Id: [0-9a-f]{32}\r\n|traceparent: 00-[0-9a-f-]{52}-00\r\n|X-Forwarded-(?:For|Proto|Host|Port): [^\r\n]*\r\n|X-Real-IP: 127\.0\.0\.1\r\n|Forwarded: for=127[^\r\n]*\r\n|Via: 1\.[01] ugate\r\n)/g;
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** Without the fields that the gate writes itself. */
const plain = (text: string): string =>
  text.replace(ADDED, "")
    .replace(/^(?:x-request-id|traceparent|tracestate|proxy-authorization):[^\r\n]*\r\n/gim, "");

/** Cuts it at places of chance, so that what came first is looked at alone. */
async function inPieces(client: Client, bytes: Uint8Array, random: () => number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const size = random() < 0.3 ? 1 : 1 + Math.floor(random() ** 2 * bytes.length);
    await client.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((done) => setTimeout(done, random() * 2));
  }
}

/** `patience`: of the gate, ms; none of them is needed where messages that are never whole are left out. */
async function through(
  way: Way,
  patience: number,
  send: (client: Client, bytes: Uint8Array) => Promise<void>,
) {
  await using crossing = await Crossing.start(way, (peer) => {
    let text = "";
    peer.socket.on("data", (bytes) => {
      const { requests, rest } = readStrictly(text + bytes.toString("latin1"));
      text = rest;
      for (const _ of requests) peer.write(ANSWER);
    });
  }, { limits: `headSize: 4KiB, headTimeout: ${patience}ms, bodyTimeout: ${patience}ms, keepAlive: 1s` });
  const { peers } = crossing.upstream;
  ok(REQUESTS.length > 200, `only ${REQUESTS.length}`);
  for (const [at, [name, text]] of REQUESTS.entries()) {
    const begin = first(at),
      sent = begin + text + LAST,
      known = peers.length,
      { on, refused, waiting } = pass("client", sent);
    if (waiting && patience > 1000) continue;
    for (const peer of peers) peer.take(peer.received.length);
    await using client = await crossing.connect();
    await send(client, latin1(sent)).catch(() => {}); // it was refused before all of it was there
    await client.readAll().catch(() => {}); // a reset, where an answer had begun
    // What an earlier upstream got of a message that broke off may come late.
    const served = peers.filter(({ text }, peer) => peer >= known || text.startsWith(begin.slice(0, 30)));
    const up = plain(served.map((peer) => peer.text).join("")), expected = plain(on);
    const ends = refused || waiting || / HTTP\/1\.0\r\n|connection: *close/i.test(text);
    if (ends) {
      ok(expected.startsWith(up) && up.startsWith(begin), `${name}: ${JSON.stringify([up, expected])}`);
    } else equal(up, expected, name);
  }
}

Deno.test("of every request of the corpus goes up what the codec makes of it, or nothing", () =>
  through({ front: "in clear", back: "in clear" }, 100, (client, bytes) => client.write(bytes)));

for (const leg of ["in clear", "over TLS"] as const) {
  Deno.test(`${leg}: of requests that come in pieces goes up what goes of the whole`, () => {
    const random = seeded(leg.length);
    return through({ front: leg, back: leg }, 5000, (client, bytes) => inPieces(client, bytes, random));
  });
}
