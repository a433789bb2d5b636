import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import { Agreement, liveAgreements } from "../../../gate/engine/openssl_agreement.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok, throws } from "../../support/assert.ts";

openssl(); // the library stays: no test is to be blamed for it

const SPKI_X25519 = Uint8Array.fromHex("302a300506032b656e032100");

Deno.test("two pairs have the same secret, of both curves, and another one each time", () => {
  const before = liveAgreements.count, secrets = new Set<string>();
  for (const curve of ["X25519", "P-256"] as const) {
    for (let i = 0; i < 5; i++) {
      using a = new Agreement(curve);
      using b = new Agreement(curve);
      const secret = a.secretWith(b.share);
      ok(secret);
      equal(secret, b.secretWith(a.share));
      secrets.add(secret.toHex());
    }
  }
  equal(secrets.size, 10);
  equal(liveAgreements.count, before);
});

Deno.test("node:crypto comes to the same secrets", () => {
  using x25519 = new Agreement("X25519");
  const theirs = generateKeyPairSync("x25519");
  const spki = Uint8Array.of(...SPKI_X25519, ...x25519.share);
  const publicKey = createPublicKey({ key: spki as never, format: "der", type: "spki" });
  const raw = theirs.publicKey.export({ type: "spki", format: "der" }).subarray(SPKI_X25519.length);
  equal(
    x25519.secretWith(new Uint8Array(raw)),
    new Uint8Array(diffieHellman({ privateKey: theirs.privateKey, publicKey })),
  );
  using p256 = new Agreement("P-256");
  const ecdh = createECDH("prime256v1");
  const point = new Uint8Array(ecdh.generateKeys());
  equal(p256.secretWith(point), new Uint8Array(ecdh.computeSecret(p256.share)));
});

Deno.test("what is no key of the curve, or makes a secret of zeros, makes none", () => {
  using x25519 = new Agreement("X25519");
  using p256 = new Agreement("P-256");
  // Points of small order (RFC 7748 6.1): 0, 1 and p - 1.
  for (const low of ["00".repeat(32), "01" + "00".repeat(31), "ec" + "ff".repeat(30) + "7f"]) {
    equal(x25519.secretWith(Uint8Array.fromHex(low)), undefined);
  }
  for (const size of [0, 1, 31, 33, 65]) equal(x25519.secretWith(new Uint8Array(size).fill(9)), undefined);
  const off = p256.share;
  off[64] ^= 1;
  const compressed = Uint8Array.of(2, ...p256.share.slice(1, 33)), infinity = new Uint8Array(1);
  for (const point of [off, compressed, infinity, new Uint8Array(65), p256.share.slice(0, 64)]) {
    equal(p256.secretWith(point), undefined);
  }
  using other = new Agreement("P-256");
  ok(p256.secretWith(other.share), "a refused key leaves nothing behind");
});

Deno.test("a pair is freed once, and not used after that", () => {
  const before = liveAgreements.count, pair = new Agreement("P-256"), share = pair.share;
  pair[Symbol.dispose]();
  pair[Symbol.dispose]();
  equal(liveAgreements.count, before);
  throws(() => pair.secretWith(share), /was freed/);
});
