/** Content of every framing, each way in pieces of chance, on every way through the gate: the same octets come out. */
import { Buffer } from "node:buffer";
import type net from "node:net";
import { equal } from "../../support/assert.ts";
import { Crossing, nameOfWay, type Way, WAYS } from "../../support/crossings.ts";
import { lengthOf, type RawPeer, readResponse } from "../../support/http_peers.ts";
import { seeded } from "../../support/random.ts";

type Framing = "length" | "chunks" | "end";

const REQUESTS = 24, LARGEST = 300_000, MOST_PIECE = 20_000;

interface Told {
  readonly framing: Framing;
  readonly content: Buffer;
}

/** Numbers below `most`, small ones more often. */
const below = (random: () => number, most: number): number => Math.floor(random() ** 3 * most);

function made(random: () => number, framings: readonly Framing[]): Told {
  const content = Buffer.alloc(below(random, LARGEST));
  for (let i = 0; i < content.length; i++) content[i] = random() * 256;
  return { framing: framings[Math.floor(random() * framings.length)], content };
}

/** The octets behind the head: chunks of sizes of chance, some with extensions, and trailers. */
function framed({ framing, content }: Told, random: () => number): Buffer {
  if (framing !== "chunks") return content;
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length;) {
    const part = content.subarray(at, at + 1 + below(random, 50_000));
    const extension = random() < 0.2 ? ';name="a value"' : "";
    parts.push(Buffer.from(`${part.length.toString(16)}${extension}\r\n`), part, Buffer.from("\r\n"));
    at += part.length;
  }
  return Buffer.concat([...parts, Buffer.from(random() < 0.3 ? "0\r\nX-Sum: 1\r\n\r\n" : "0\r\n\r\n")]);
}

const fieldOf = ({ framing, content }: Told): string =>
  framing === "length"
    ? `Content-Length: ${content.length}\r\n`
    : framing === "chunks"
    ? "Transfer-Encoding: chunked\r\n"
    : "";

/** Writes it in pieces, and waits between some of them, so that they do not become one. */
async function inPieces(socket: net.Socket, bytes: Uint8Array, random: () => number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + 1 + below(random, MOST_PIECE));
    at += piece.length;
    await new Promise<void>((done, failed) => socket.write(piece, (error) => error ? failed(error) : done()));
    if (random() < 0.3) await new Promise((done) => setImmediate(done));
  }
}

/** The content behind a request's head, taken out of its chunks. */
async function contentOf(peer: RawPeer, head: string): Promise<string> {
  if (!/^transfer-encoding: chunked/im.test(head)) return await peer.content(lengthOf(head));
  let content = "";
  for (;;) {
    await peer.until(({ received }) => received.includes("\r\n"));
    const size = parseInt(peer.take(peer.received.indexOf("\r\n") + 2), 16);
    if (size === 0) break;
    content += (await peer.content(size + 2)).slice(0, -2);
  }
  await peer.until(({ received }) => received.includes("\r\n"));
  while (peer.take(peer.received.indexOf("\r\n") + 2) !== "\r\n") {
    await peer.until(({ received }) => received.includes("\r\n"));
  }
  return content;
}

async function exchanges(way: Way, seed: number): Promise<void> {
  const random = seeded(seed), answers: Told[] = [], arrived: string[] = [];
  await using crossing = await Crossing.start(way, async (peer) => {
    for (;;) {
      arrived.push(await contentOf(peer, await peer.head()));
      const answer = answers.at(-1)!, { framing } = answer;
      const head = `HTTP/1.1 200 OK\r\n${fieldOf(answer)}\r\n`;
      await inPieces(peer.socket, Buffer.concat([Buffer.from(head), framed(answer, random)]), random);
      if (framing === "end") return void peer.socket.end();
    }
  });
  for (let sent = 0; sent < REQUESTS;) {
    await using client = await crossing.connect();
    for (let stays = true; stays && sent < REQUESTS; sent++) {
      const asked = made(random, ["length", "chunks"]);
      answers.push(made(random, ["length", "chunks", "end"]));
      const head = `POST /${sent} HTTP/1.1\r\nHost: a.example\r\n${fieldOf(asked)}\r\n`;
      const bytes = Buffer.concat([Buffer.from(head), framed(asked, random)]);
      const [response] = await Promise.all([readResponse(client), inPieces(client.socket, bytes, random)]);
      const what = `${sent}: ${asked.content.length} by ${asked.framing}, back ${answers.at(-1)!.framing}`;
      equal(arrived.at(-1) === asked.content.toString("latin1"), true, `${what}, up`);
      equal(response.content === answers.at(-1)!.content.toString("latin1"), true, `${what}, down`);
      stays = !/^connection: close/im.test(response.head);
      equal(stays, answers.at(-1)!.framing !== "end", what);
    }
  }
}

for (const [seed, way] of WAYS.entries()) {
  Deno.test(
    `${nameOfWay(way)}: content of every framing, cut anywhere, comes out as it went in, both ways`,
    () => exchanges(way, seed + 1),
  );
}
