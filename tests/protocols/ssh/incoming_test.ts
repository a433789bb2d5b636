import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { liveCiphers } from "../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { GateError } from "../../../gate/errors.ts";
import { Incoming, MOST_PACKET } from "../../../protocols/ssh/incoming.ts";
import { CIPHERS, MACS, openerOf, sealerOf, sizesOf } from "../../../protocols/ssh/protection/ciphers.ts";
import { HEADER, plainSealer, type Sealer } from "../../../protocols/ssh/protection/protection.ts";
import { putUint32 } from "../../../protocols/ssh/wire.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { pattern } from "../../support/pattern.ts";

openssl(); // the library stays: no test is to be blamed for it

/** Remembers payloads; stops behind every one whose first byte is `stop`. */
class Payloads {
  readonly seen: Uint8Array[] = [];
  /** Views, as they were handed over. */
  readonly shown: Uint8Array[] = [];
  stop = -1;

  packet(bytes: Uint8Array, at: number, size: number): boolean {
    this.seen.push(bytes.slice(at, at + size));
    this.shown.push(bytes.subarray(at, at + size));
    return bytes[at] !== this.stop;
  }
}

/** Packets of these payloads, one behind the other. */
function stream(sealer: Sealer, payloads: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(payloads.reduce((sum, { length }) => sum + length + sealer.overhead, 0));
  let at = 0;
  for (const [sequence, payload] of payloads.entries()) {
    bytes.set(payload, at + HEADER);
    at += sealer.seal(bytes, at, payload.length, sequence);
  }
  return bytes.slice(0, at);
}

const PROTECTIONS = [
  ...Object.keys(CIPHERS).filter((cipher) => CIPHERS[cipher].authenticates).map((cipher) => ({
    cipher,
    mac: "",
  })),
  ...Object.keys(MACS).map((mac) => ({ cipher: "aes256-ctr", mac })),
];

/** Ends of one direction under random keys; undefined: in clear. */
function ends(protection: typeof PROTECTIONS[number] | undefined) {
  const to = new Payloads(), incoming = new Incoming("client", to);
  if (!protection) return { to, incoming, sealer: plainSealer };
  const { iv, key, macKey } = sizesOf(protection);
  const [a, b, c] = [iv, key, macKey].map((size) => new Uint8Array(randomBytes(size)));
  const keys = { iv: a, key: b, macKey: c };
  incoming.openWith(openerOf(protection, keys), false);
  return { to, incoming, sealer: sealerOf(protection, keys) };
}

Deno.test("packets come out the same wherever the bytes are split, under every cipher and in clear", () => {
  const payloads = [pattern(1, 1), pattern(40, 2), pattern(3, 3), pattern(300, 4)];
  for (const protection of [undefined, ...PROTECTIONS]) {
    for (const piece of [1, 2, 3, 5, 16, 17, 61, 10_000]) {
      const { to, incoming, sealer } = ends(protection), bytes = stream(sealer, payloads);
      for (let at = 0; at < bytes.length; at += piece) {
        const part = bytes.slice(at, at + piece);
        equal(incoming.take(part, 0, part.length), part.length);
        incoming.release();
      }
      equal(to.seen, payloads, `${protection?.cipher} ${protection?.mac} in pieces of ${piece}`);
      equal([incoming.sequence, incoming.bytes], [payloads.length, bytes.length]);
      sealer[Symbol.dispose]();
      incoming[Symbol.dispose]();
    }
  }
  equal(liveCiphers.count, 0);
});

Deno.test("payloads of any sizes come out of pieces of any sizes, and stay until they are released", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 33_000 }), { minLength: 1, maxLength: 6 });
  const cuts = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(fc.constantFrom(undefined, ...PROTECTIONS), sizes, cuts, (protection, given, pieces) => {
      const { to, incoming, sealer } = ends(protection);
      const payloads = given.map((size, i) => pattern(size, i)), bytes = stream(sealer, payloads);
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = pieces[i % pieces.length], part = bytes.slice(at, at + size);
        incoming.take(part, 0, part.length);
        at += size;
      }
      equal(to.shown.map((view) => view.slice()), payloads);
      incoming.release();
      sealer[Symbol.dispose]();
      incoming[Symbol.dispose]();
    }),
    { numRuns: 60 },
  );
  equal(liveCiphers.count, 0);
});

Deno.test("behind a packet after which nobody looks it stops, and goes on from there", () => {
  const payloads = [pattern(9, 1), Uint8Array.of(7, 7), pattern(20, 2)];
  const { to, incoming, sealer } = ends(undefined), bytes = stream(sealer, payloads);
  to.stop = 7;
  const at = incoming.take(bytes, 0, bytes.length);
  equal(to.seen, payloads.slice(0, 2));
  equal(incoming.take(bytes, at, bytes.length), bytes.length);
  equal(to.seen, payloads);
  for (let cut = 1; cut < bytes.length; cut++) {
    const again = ends(undefined);
    again.to.stop = 7;
    for (let from = 0, end = cut; from < bytes.length; end = from === end ? bytes.length : end) {
      from = again.incoming.take(bytes, from, end);
    }
    equal(again.to.seen, payloads, `cut at ${cut}`);
    again.incoming[Symbol.dispose]();
  }
});

Deno.test("a length that is too long, too short or no multiple is refused before anything is kept for it", () => {
  for (const length of [0, 1, 4, 5, 11, 13, MOST_PACKET + 4, 0x7fffffff, 0xffffffff]) {
    const { incoming } = ends(undefined), bytes = new Uint8Array(16);
    putUint32(bytes, 0, length);
    throws(() => incoming.take(bytes, 0, 5), /Cannot read an SSH packet: its length is/);
  }
  const { incoming, to } = ends(undefined), longest = stream(plainSealer, [pattern(MOST_PACKET - 9)]);
  ok(longest.length <= MOST_PACKET + 4);
  incoming.take(longest, 0, longest.length);
  equal(to.seen.length, 1);
});

Deno.test("a longer packet is taken where it was offered", () => {
  const to = new Payloads(), incoming = new Incoming("client", to, 300_000);
  const payload = pattern(250_000), bytes = stream(plainSealer, [payload]);
  for (let at = 0; at < bytes.length; at += 10_000) {
    const part = bytes.slice(at, at + 10_000);
    incoming.take(part, 0, part.length);
  }
  equal(to.seen, [payload]);
  incoming[Symbol.dispose]();
});

Deno.test("random bytes are refused as malformed, or waited for; nothing is kept of who is gone", () => {
  for (const protection of [undefined, ...PROTECTIONS]) {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
        const { incoming, sealer } = ends(protection);
        try {
          for (const part of parts) incoming.take(part, 0, part.length);
        } catch (thrown) {
          ok(thrown instanceof GateError && thrown.failure === "malformed", String(thrown));
        }
        sealer[Symbol.dispose]();
        incoming[Symbol.dispose]();
      }),
      { numRuns: 100 },
    );
  }
  equal(liveCiphers.count, 0);
});
