/** Pooled upstream connections under many clients at once, some of which leave in the middle of everything. */
import { equal, ok } from "../../support/assert.ts";
import { Crossing, nameOfWay, type Way, WAYS } from "../../support/crossings.ts";
import { lengthOf, type RawPeer, readResponse } from "../../support/http_peers.ts";
import type { Client } from "../../support/net.ts";
import { seeded } from "../../support/random.ts";

const REQUESTS = Number(Deno.env.get("UGATE_MIXED_REQUESTS") ?? 4000) / WAYS.length, CLIENTS = 20;

/** Answers with the request's own path, in every framing; sometimes it closes, resets, or is slow. */
async function answer(peer: RawPeer): Promise<void> {
  for (let n = 0;; n++) {
    const head = await peer.head(), path = head.split(" ")[1];
    if (/chunked/.test(head)) {
      await peer.until(({ received }) => received.includes("0\r\n\r\n"));
      peer.take(peer.received.length);
    } else await peer.content(lengthOf(head));
    const size = Number(path.split("/")[2]), body = `${path} `.padEnd(size, path);
    if (size % 7 === 1) await new Promise((done) => setImmediate(done));
    if (size % 97 === 5) return void peer.socket.resetAndDestroy();
    if (size % 3 === 0) peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    else if (size % 3 === 1) {
      peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let at = 0; at < body.length; at += 5000) {
        const part = body.slice(at, at + 5000);
        peer.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      peer.write("0\r\n\r\n");
    } else if (n % 5 === 4) return void peer.socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`);
    else {
      peer.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n${body}`,
      );
    }
  }
}

interface Counts {
  answered: number;
  left: number;
  /** The upstream reset. */
  failed: number;
}

/** Requests of one client over one connection, until it leaves or either side ends it; how many it sent. */
async function converse(client: Client, name: string, random: () => number, counts: Counts): Promise<number> {
  const below = (most: number) => Math.floor(random() * most);
  for (let sent = 1;; sent++) {
    const path = `/${name}-${sent}/${below(10) === 0 ? below(200_000) : below(3000)}`;
    const [framing, content] = [
      ["", ""],
      ["Content-Length: 40000\r\n", "x".repeat(40_000)],
      ["Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
    ][below(3)];
    await client.write(`${framing ? "POST" : "GET"} ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n`);
    if (below(8) === 0) {
      if (content && below(2) === 0) await client.write(content.slice(0, 1 + below(content.length)));
      client.reset();
      counts.left++;
      return sent;
    }
    if (content) await client.write(content);
    const { status, head, content: got } = await readResponse(client);
    if (status === 502) counts.failed++;
    else {
      ok(got.startsWith(`${path} `), `${path} got ${status} ${got.slice(0, 60)}`);
      ok(got.length >= Number(path.split("/")[2]), `${path} got ${got.length}`);
      counts.answered++;
    }
    if (/connection: close/i.test(head)) return sent;
  }
}

async function mixed(way: Way): Promise<void> {
  await using crossing = await Crossing.start(way, answer, { threads: 2 });
  const random = seeded(7), counts: Counts = { answered: 0, left: 0, failed: 0 };
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    for (let sent = 0, connection = 0; sent < REQUESTS / CLIENTS; connection++) {
      await using client = await crossing.connect();
      sent += await converse(client, `${number}-${connection}`, random, counts);
    }
  }));
  const { answered, left, failed } = counts, { peers } = crossing.upstream;
  ok(answered > REQUESTS / 2 && left > REQUESTS / 40, JSON.stringify(counts));
  ok(failed < answered / 20, JSON.stringify(counts));
  ok(peers.length < answered, `${peers.length} upstream connections`);
  equal(crossing.gate.messages.filter((message) => message.includes("fault")), []);
}

for (const way of WAYS) {
  Deno.test(
    `${
      nameOfWay(way)
    }: every client gets the answer to its own request, whoever else leaves in the middle of theirs`,
    () => mixed(way),
  );
}
