import fc from "fast-check";
import { ChunkedBody, chunkPieces } from "../../../protocols/http/chunked.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

const PIECES = chunkPieces();
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** What goes on when the bytes come in pieces that end at `cuts`, what was not used being held as a stream does. */
function decode(bytes: Uint8Array, framed: boolean, cuts: readonly number[]): { on: string; used: number } {
  const body = new ChunkedBody(framed);
  let on = "", used = 0;
  for (const to of [...cuts, bytes.length]) {
    while (used < to && !body.done) {
      const more = body.decode(bytes, used, to, PIECES);
      if (typeof more !== "number") throw new Error(more.state);
      for (let i = 0; i < PIECES.count; i++) {
        on += text(bytes.subarray(PIECES.at[i], PIECES.at[i] + PIECES.size[i]));
      }
      used += more;
      if (more === 0) break;
    }
  }
  ok(body.done);
  return { on, used };
}

const chunkText = (chunk: Uint8Array, extension: string): string =>
  `${chunk.length.toString(16)}${extension}\r\n${text(chunk)}\r\n`;

const CHUNK = fc.tuple(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.constantFrom("", ";a", ';b="c"', ";d=e;f"),
);
const MESSAGE = fc.record({
  chunks: fc.array(CHUNK, { maxLength: 12 }),
  trailers: fc.constantFrom("", "X: 1\r\n", "X: 1\r\nHost: b\r\nY:\r\n", "Host: b\r\n"),
  behind: fc.constantFrom("", "GET / HTTP/1.1\r\n"),
});

Deno.test("content in any pieces comes out as it went in, framed and bare", () => {
  const cuts = fc.array(fc.nat(600), { maxLength: 8 });
  fc.assert(fc.property(MESSAGE, cuts, ({ chunks, trailers, behind }, at) => {
    const start = `${chunks.map(([chunk, extension]) => chunkText(chunk, extension)).join("")}0\r\n`;
    const whole = `${start}${trailers}\r\n`, bytes = latin1(whole + behind);
    const ends = at.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
    const kept = `${start}${trailers.replace("Host: b\r\n", "")}\r\n`;
    equal(decode(bytes, true, ends), { on: kept, used: whole.length });
    equal(decode(bytes, false, ends), {
      on: chunks.map(([chunk]) => text(chunk)).join(""),
      used: whole.length,
    });
  }));
});

Deno.test("any octets are content, a fault, or too few, and no piece lies outside of what was used", () => {
  const some = fc.array(
    fc.constantFrom("0", "5", "a", "\r\n", "\r", "\n", ";", " ", "hello", "X: y", ":", "\0", "ffffffffffff"),
    { maxLength: 30 },
  );
  fc.assert(fc.property(some, fc.boolean(), (parts, framed) => {
    const bytes = latin1(parts.join("")), body = new ChunkedBody(framed);
    for (let at = 0;;) {
      const used = body.decode(bytes, at, bytes.length, PIECES);
      if (typeof used !== "number" || used === 0) break;
      let last = at;
      for (let i = 0; i < PIECES.count; i++) {
        ok(PIECES.at[i] >= last && PIECES.size[i] > 0);
        last = PIECES.at[i] + PIECES.size[i];
      }
      ok(last <= at + used);
      at += used;
    }
  }));
});

Deno.test("one call answers a bounded number of pieces, and none is lost", () => {
  const many = `${"1\r\nx\r\n".repeat(5000)}0\r\n\r\n`, bytes = latin1(many);
  const first = new ChunkedBody(false).decode(bytes, 0, bytes.length, PIECES);
  ok(typeof first === "number" && first < bytes.length && PIECES.count === 256);
  equal(decode(bytes, false, []), { on: "x".repeat(5000), used: bytes.length });
  const framed = new ChunkedBody(true).decode(bytes, 0, bytes.length, PIECES);
  equal([framed, PIECES.count, PIECES.size[0]], [bytes.length, 1, bytes.length]);
});

Deno.test("a chunk's content may go on without being decoded", () => {
  const body = new ChunkedBody(true), bytes = latin1("100000\r\nab"), rest = latin1("\r\n0\r\n\r\n");
  equal(body.decode(bytes, 0, bytes.length, PIECES), bytes.length);
  equal([body.left, body.size], [0x100000 - 2, 0x100000]);
  body.skip(1000);
  body.skip(body.left);
  equal(body.decode(rest, 0, rest.length, PIECES), rest.length);
  equal([body.done, body.left], [true, 0]);
});

Deno.test("256 trailers, every other of which is left out, fit into the pieces", () => {
  const bytes = latin1(`0\r\n${"X: y\r\nHost: b\r\n".repeat(128)}\r\n`);
  equal(decode(bytes, true, []), { on: `0\r\n${"X: y\r\n".repeat(128)}\r\n`, used: bytes.length });
});
