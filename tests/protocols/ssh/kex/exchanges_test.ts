import { createHash } from "node:crypto";
import fc from "fast-check";
import { liveAgreements } from "../../../../gate/engine/openssl_agreement.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { exchangeNames, exchangeOf, prepareHybrid } from "../../../../protocols/ssh/kex/exchanges.ts";
import { hybrid } from "../../../../protocols/ssh/kex/hybrid.ts";
import type { Kem } from "../../../../protocols/ssh/kex/ml_kem.ts";
import { Reader } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";

openssl(); // the library stays: no test is to be blamed for it

const CURVES = ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"];
const HYBRID = "mlkem768x25519-sha256";
const before = [...exchangeNames()];
await prepareHybrid();

Deno.test("the method against quantum computers is offered once it is ready, and then first", () => {
  equal(before, CURVES);
  equal(exchangeNames(), [HYBRID, ...CURVES]);
});

Deno.test("both sides of every method come to one secret, and to another one each time", () => {
  const secrets = new Set<string>();
  for (const name of exchangeNames()) {
    const exchange = exchangeOf(name)!;
    for (let i = 0; i < 3; i++) {
      using side = exchange.begin();
      const answer = exchange.answer(side.share);
      ok(answer);
      const secret = side.secretWith(answer.share);
      equal(secret, answer.secret);
      secrets.add(secret!.toHex());
    }
  }
  equal(secrets.size, 3 * exchangeNames().length);
  equal(liveAgreements.count, 0);
});

Deno.test("shares have the sizes of the standards, and secrets are a number or a string of 32 bytes", () => {
  const sizes = { [HYBRID]: [1216, 1120], "curve25519-sha256": [32, 32], "ecdh-sha2-nistp256": [65, 65] };
  for (const [name, [asked, answered]] of Object.entries(sizes)) {
    const exchange = exchangeOf(name)!;
    using side = exchange.begin();
    const { share, secret } = exchange.answer(side.share)!;
    equal([side.share.length, share.length], [asked, answered]);
    const reader = new Reader(secret), value = name === HYBRID ? reader.string() : reader.mpint();
    ok(reader.whole && value.length <= 32 && (name !== HYBRID || value.length === 32));
  }
});

Deno.test("the hybrid's secret is the hash of ML-KEM's and X25519's, in this order", () => {
  const sharedSecret = new Uint8Array(32).fill(7), cipherText = new Uint8Array(1088).fill(1);
  const kem: Kem = {
    generate: () => ({ publicKey: new Uint8Array(1184).fill(2), secretKey: new Uint8Array(8) }),
    encapsulate: () => ({ cipherText, sharedSecret: sharedSecret.slice() }),
    decapsulate: () => sharedSecret.slice(),
  };
  using side = exchangeOf("curve25519-sha256")!.begin();
  const asked = new Uint8Array(1216);
  asked.set(side.share, 1184);
  const answer = hybrid(kem).answer(asked)!;
  equal(answer.share.slice(0, 1088), cipherText);
  const classical = side.secretWith(answer.share.slice(1088))!;
  const number = new Uint8Array(32), magnitude = new Reader(classical).mpint();
  number.set(magnitude, 32 - magnitude.length);
  const expected = createHash("sha256").update(sharedSecret).update(number).digest();
  equal(new Uint8Array(new Reader(answer.secret).string()), new Uint8Array(expected));
});

Deno.test("what is no share of a method makes no secret, on either side", () => {
  const share = fc.oneof(
    fc.uint8Array({ maxLength: 1300 }),
    fc.constantFrom(0, 31, 32, 33, 64, 65, 1120, 1184, 1216).map((size) => new Uint8Array(size)),
    fc.constantFrom(32, 65, 1120, 1216).map((size) => new Uint8Array(size).fill(0xff)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...exchangeNames()), share, (name, theirs) => {
      const exchange = exchangeOf(name)!;
      using side = exchange.begin();
      const isKey = name.startsWith("curve") && theirs.length === 32 && theirs.some((byte) => byte !== 0);
      const isCiphertext = name === HYBRID && theirs.length === 1120 && theirs[1119] !== 0; // of no key we know
      if (!isKey) equal(exchange.answer(theirs), undefined);
      if (!isKey && !isCiphertext) equal(side.secretWith(theirs), undefined);
    }),
    { numRuns: 60 },
  );
  equal(liveAgreements.count, 0);
});

Deno.test("a ciphertext of ML-KEM that was tampered with makes another secret, and no failure", () => {
  const exchange = exchangeOf(HYBRID)!;
  using side = exchange.begin();
  const { share, secret } = exchange.answer(side.share)!;
  share[100] ^= 1;
  const other = side.secretWith(share);
  ok(other && other.toHex() !== secret.toHex());
});
