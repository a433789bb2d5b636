import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { liveCiphers } from "../../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { ChaChaOpener } from "../../../../protocols/ssh/protection/chacha.ts";
import {
  CIPHERS,
  type Keys,
  MACS,
  openerOf,
  type Protection,
  sealerOf,
  sizesOf,
} from "../../../../protocols/ssh/protection/ciphers.ts";
import {
  HEADER,
  LEAST_PACKET,
  LENGTH,
  payloadSize,
  plainOpener,
  plainSealer,
} from "../../../../protocols/ssh/protection/protection.ts";
import { uint32At } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";
import { pattern } from "../../../support/pattern.ts";

openssl(); // the library stays: no test is to be blamed for it

const bytesOf = (hex: string) => Uint8Array.fromHex(hex.replaceAll(/\s/g, ""));

const ALL: readonly Protection[] = Object.entries(CIPHERS).flatMap(([cipher, { authenticates }]) =>
  authenticates ? [{ cipher, mac: "" }] : Object.keys(MACS).map((mac) => ({ cipher, mac }))
);

function randomKeys(protection: Protection): Keys {
  const { iv, key, macKey } = sizesOf(protection);
  const of = (size: number) => new Uint8Array(randomBytes(size));
  return { iv: of(iv), key: of(key), macKey: of(macKey) };
}

/** A packet of this payload, sealed `at` somewhere in more bytes; its bytes alone. */
function sealed(
  sealer: ReturnType<typeof sealerOf>,
  payload: Uint8Array,
  sequence: number,
  at = 3,
): Uint8Array {
  const bytes = pattern(at + payload.length + sealer.overhead + 5);
  const around = bytes.slice();
  bytes.set(payload, at + HEADER);
  const size = sealer.seal(bytes, at, payload.length, sequence);
  ok(size <= payload.length + sealer.overhead, `${size} bytes for ${payload.length}`);
  equal(bytes.slice(0, at), around.slice(0, at));
  equal(bytes.slice(at + size), around.slice(at + size));
  return bytes.slice(at, at + size);
}

Deno.test("the packet of draft-ietf-sshm-chacha20-poly1305, appendix A, is opened", () => {
  using opener = new ChaChaOpener(bytesOf(
    `8bbff6855fc102338c373e73aac0c914 f076a905b2444a32eecaffeae22becc5
     e9b7a7a5825a8249346ec1c28301cf39 4543fc7569887d76e168f37562ac0740`,
  ));
  const packet = bytesOf(
    `2c3ecce4a5bc05895bf07a7ba956b6c6 8829ac7c83b780b7000ecde745afc705 bbc378ce03a280236b87b53bed583966
     2302b164b6286a48cd1e097138e3cb90 9b8b2b829dd18d2a35ff82d9 95349e855bf02c298ef775f2d1a7e8b8`,
  );
  equal(opener.length(packet, 0, 7), 72);
  ok(opener.open(packet, 0, 72, 7));
  const text = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
  equal(payloadSize(packet, 0, 72), 9 + text.length);
  equal(new TextDecoder().decode(packet.subarray(HEADER + 9, HEADER + 9 + text.length)), text);
});

Deno.test("a packet of AES-GCM is what node:crypto makes of it, the counter of the IV going on (RFC 5647 7.1)", () => {
  for (
    const [cipher, name] of [["aes128-gcm@openssh.com", "aes-128-gcm"], [
      "aes256-gcm@openssh.com",
      "aes-256-gcm",
    ]]
  ) {
    const keys = { ...randomKeys({ cipher, mac: "" }), iv: bytesOf("0102030400000000fffffffe") };
    using sealer = sealerOf({ cipher, mac: "" }, keys);
    for (const counter of ["00000000fffffffe", "00000000ffffffff", "0000000100000000"]) {
      const packet = sealed(sealer, Uint8Array.of(94, 1, 2, 3), 0);
      const theirs = createCipheriv(name as "aes-128-gcm", keys.key, bytesOf(`01020304${counter}`));
      theirs.setAAD(bytesOf("00000010"));
      const body = theirs.update(bytesOf("0b 5e010203 0000000000000000000000"));
      theirs.final();
      equal(packet, Uint8Array.of(0, 0, 0, 16, ...body, ...theirs.getAuthTag()));
    }
  }
});

Deno.test("a packet of AES-CTR with a MAC is what node:crypto makes of it, in both orders", () => {
  for (const mac of Object.keys(MACS)) {
    const { afterwards, kind } = MACS[mac],
      protection = { cipher: "aes128-ctr", mac },
      keys = randomKeys(protection);
    using sealer = sealerOf(protection, keys);
    const packet = sealed(sealer, Uint8Array.of(94, 1, 2, 3), 0x01020304), sequence = bytesOf("01020304");
    const theirs = createCipheriv("aes-128-ctr", keys.key, keys.iv);
    const code = (bytes: Uint8Array) =>
      createHmac(kind.slice(5), keys.macKey).update(sequence).update(bytes).digest();
    if (afterwards) {
      const body = theirs.update(bytesOf("0b 5e010203 0000000000000000000000"));
      theirs.final();
      const sent = Uint8Array.of(0, 0, 0, 16, ...body);
      equal(packet, Uint8Array.of(...sent, ...code(sent)));
    } else {
      const plain = bytesOf("0000000c 07 5e010203 00000000000000");
      equal(packet, Uint8Array.of(...theirs.update(plain), ...code(plain)));
      theirs.final();
    }
  }
});

Deno.test("what is sealed is opened, packet after packet, of every cipher and MAC and size", () => {
  for (const protection of ALL) {
    const keys = randomKeys(protection);
    using sealer = sealerOf(protection, keys);
    using opener = openerOf(protection, keys);
    for (let sequence = 0xfffffff0; sequence < 0x100000060; sequence++) {
      const payload = pattern(1 + sequence % 300, sequence), number = sequence >>> 0;
      const bytes = sealed(sealer, payload, number, sequence % 17);
      const length = opener.length(bytes, 0, number);
      equal(bytes.length, LENGTH + length + opener.tag);
      equal((opener.counted + length) % opener.block, 0);
      ok(opener.open(bytes, 0, length, number), `${protection.cipher} ${protection.mac}`);
      equal(payloadSize(bytes, 0, length), payload.length);
      equal(bytes.slice(HEADER, HEADER + payload.length), payload);
    }
  }
});

Deno.test("one bit that is another is noticed, wherever it is, and so are another number, a packet twice and one left out", () => {
  for (const protection of ALL) {
    const keys = randomKeys(protection), payload = pattern(40);
    const packets = () => {
      using sealer = sealerOf(protection, keys);
      return [0, 1, 2].map((sequence) => sealed(sealer, payload, sequence));
    };
    const opens = (...given: readonly (readonly [Uint8Array, number])[]) => {
      using opener = openerOf(protection, keys);
      return given.every(([packet, sequence]) => {
        const bytes = packet.slice(), length = opener.length(bytes, 0, sequence);
        const whole = LENGTH + length + opener.tag;
        return length >= LEAST_PACKET && whole === bytes.length && opener.open(bytes, 0, length, sequence);
      });
    };
    const [first, second, third] = packets(), name = `${protection.cipher} ${protection.mac}`;
    ok(opens([first, 0], [second, 1], [third, 2]), name);
    for (let bit = 0; bit < first.length * 8; bit++) {
      const broken = first.slice();
      broken[bit >> 3] ^= 1 << (bit & 7);
      ok(!opens([broken, 0]), `${name}: bit ${bit}`);
    }
    ok(!opens([first, 0], [first, 1]), `${name}: a replay`);
    ok(!opens([first, 0], [third, 1]), `${name}: one left out`);
    ok(!opens([second, 0]), `${name}: the first one left out`);
  }
});

Deno.test("before there are keys packets are multiples of 8 with at least 4 bytes of padding (RFC 4253 6)", () => {
  for (let size = 1; size < 100; size++) {
    const packet = sealed(plainSealer, pattern(size), 0), length = uint32At(packet, 0);
    equal(packet.length % 8, 0);
    ok(packet[LENGTH] >= 4 && packet.length >= 16);
    equal([plainOpener.length(packet, 0, 0), payloadSize(packet, 0, length)], [packet.length - LENGTH, size]);
    equal(packet.slice(HEADER + size), new Uint8Array(packet[LENGTH]));
  }
});

Deno.test("a padding that leaves no payload, or is too short, leaves none", () => {
  for (const [padding, size] of [[3, 0], [4, 11], [14, 1], [15, 0], [16, 0], [255, 0]]) {
    equal(payloadSize(Uint8Array.of(0, 0, 0, 16, padding), 0, 16), size);
  }
});

Deno.test("random bytes open as nothing", () => {
  for (const protection of ALL) {
    using opener = openerOf(protection, randomKeys(protection));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4 + 16 + 64, maxLength: 4 + 16 + 64 }), (bytes) => {
        opener.length(bytes, 0, 5);
        equal(opener.open(bytes, 0, 16, 5), false);
      }),
      { numRuns: 20 },
    );
  }
});

Deno.test("every cipher is freed", () => equal(liveCiphers.count, 0));
