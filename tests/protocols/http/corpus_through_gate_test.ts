/** The corpus once more, through a real gate: what goes up is compared byte by byte with what the codec alone makes. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { latin1, pass } from "../../support/http_codec.ts";
import { rawUpstream } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";
import { REQUESTS } from "./corpus/requests.ts";

const MARK = "Host: mark\r\nConnection: close\r\n\r\n";
/** Sniffing knows fewer methods than the codec: a connection that was told apart takes all of them. */
const FIRST = "GET /the-first-one HTTP/1.1\r\nHost: mark\r\n\r\n";
const LAST = `GET /the-last-one HTTP/1.1\r\n${MARK}`;
/** What the gate adds to every request. */
const ADDED =
  /(?:X-Request-Id: [0-9a-f]{32}\r\n|traceparent: 00-[0-9a-f-]{52}-00\r\n|X-Forwarded-(?:For|Proto|Host|Port): [^\r\n]*\r\n|X-Real-IP: 127\.0\.0\.1\r\n|Forwarded: for=127[^\r\n]*\r\n|Via: 1\.[01] ugate\r\n)/g;
/** Answers so many requests as come: their paths do not matter. */
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** Without the fields that the gate writes itself. */
const plain = (text: string): string =>
  text.replace(ADDED, "")
    .replace(/^(?:x-request-id|traceparent|tracestate|proxy-authorization):[^\r\n]*\r\n/gim, "");

Deno.test("of every request of the corpus goes up what the codec makes of it, or nothing", async () => {
  await using upstream = await rawUpstream((peer) => {
    peer.socket.on("data", (bytes) => {
      for (const _ of bytes.toString("latin1").matchAll(/ HTTP\/1\.1\r\n/g)) peer.write(ANSWER);
    });
  });
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}" }]
limits: { headSize: 4KiB, headTimeout: 100ms, bodyTimeout: 100ms, idleTimeout: 2s, keepAlive: 1s }
`);
  ok(REQUESTS.length > 200, `only ${REQUESTS.length}`);
  for (const [name, text] of REQUESTS) {
    const sent = FIRST + text + LAST, { on, refused, waiting } = pass("client", sent);
    for (const peer of upstream.peers) peer.take(peer.received.length);
    await using client = await connect(gate.port("web"));
    await client.write(latin1(sent));
    await client.readAll().catch(() => {}); // a reset, where an answer had begun
    const up = plain(upstream.peers.map((peer) => peer.text).join("")), expected = plain(on);
    const ends = refused || waiting || / HTTP\/1\.0\r\n|connection: *close/i.test(text);
    if (ends) {
      ok(expected.startsWith(up) && up.startsWith(FIRST), `${name}: ${JSON.stringify([up, expected])}`);
    } else equal(up, expected, name);
  }
});
