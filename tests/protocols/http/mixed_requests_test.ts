/** Pooled upstream connections under many clients at once, some of which leave in the middle of everything. */
import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { lengthOf, type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";
import { seeded } from "../../support/random.ts";

const REQUESTS = Number(Deno.env.get("UGATE_MIXED_REQUESTS") ?? 1000), CLIENTS = 20;

/** Answers with the request's own path, in every framing; sometimes it closes, or is slow. */
async function answer(peer: RawPeer): Promise<void> {
  for (let n = 0;; n++) {
    const head = await peer.head(), path = head.split(" ")[1];
    if (/chunked/.test(head)) {
      await peer.until(({ received }) => received.includes("0\r\n\r\n"));
      peer.take(peer.received.length);
    } else await peer.content(lengthOf(head));
    const size = Number(path.split("/")[2]), body = `${path} `.padEnd(size, path);
    if (size % 7 === 1) await new Promise((done) => setImmediate(done));
    if (size % 3 === 0) peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    else if (size % 3 === 1) {
      peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let at = 0; at < body.length; at += 5000) {
        const part = body.slice(at, at + 5000);
        peer.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      peer.write("0\r\n\r\n");
    } else if (n % 5 === 4) return void peer.socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`);
    else {peer.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n${body}`,
      );}
  }
}

Deno.test("every client gets the answer to its own request, whoever else leaves in the middle of theirs", async () => {
  await using upstream = await rawUpstream(answer);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}" }]
limits: { idleTimeout: 10s }
`);
  const random = seeded(7);
  const below = (most: number) => Math.floor(random() * most);
  let answered = 0, left = 0;
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    for (let sent = 0; sent < REQUESTS / CLIENTS;) {
      await using client = await connect(gate.port("web"));
      for (let stays = true; stays && sent < REQUESTS / CLIENTS; sent++) {
        const path = `/${number}-${sent}/${below(10) === 0 ? below(200_000) : below(3000)}`;
        const [framing, content] = [
          ["", ""],
          ["Content-Length: 40000\r\n", "x".repeat(40_000)],
          ["Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
        ][below(3)];
        await client.write(`${framing ? "POST" : "GET"} ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n`);
        if (below(8) === 0) {
          client.reset();
          left++;
          stays = false;
        } else {
          await client.write(content);
          const response = await readResponse(client);
          ok(response.content.startsWith(`${path} `), `${path} got ${response.content.slice(0, 60)}`);
          equal(response.content.length >= Number(path.split("/")[2]), true);
          stays = !/connection: close/i.test(response.head);
          answered++;
        }
      }
    }
  }));
  ok(answered > REQUESTS / 2 && left > REQUESTS / 40, `${answered} answered, ${left} left`);
  ok(upstream.peers.length < REQUESTS, `${upstream.peers.length} upstream connections`);
});
