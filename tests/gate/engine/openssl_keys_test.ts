/** libcrypto's signatures against those of node:crypto, which has code of its own. */
import { generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import fc from "fast-check";
import {
  type Curve,
  type Hash,
  isSignedBy,
  liveSigningKeys,
  SigningKey,
  type VerifyingKey,
} from "../../../gate/engine/openssl_keys.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok, throws } from "../../support/assert.ts";

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const der = (key: KeyObject, type: "spki" | "pkcs8" | "pkcs1") =>
  Uint8Array.from(key.export({ type: type as "spki", format: "der" }));

/** The point stands at the end of the SPKI. */
function ofCurve(curve: Curve): Pair & { readonly key: VerifyingKey } {
  const pair = generateKeyPairSync("ec", { namedCurve: curve });
  const size = { "P-256": 65, "P-384": 97, "P-521": 133 }[curve];
  return { ...pair, key: { curve, point: der(pair.publicKey, "spki").slice(-size) } };
}

function rsa(modulusLength: number): Pair & { readonly key: VerifyingKey } {
  const pair = generateKeyPairSync("rsa", { modulusLength });
  return { ...pair, key: { pkcs1: der(pair.publicKey, "pkcs1") } };
}

openssl(); // stays open
const DATA = new TextEncoder().encode("what is signed");
const p256 = ofCurve("P-256"), p384 = ofCurve("P-384"), rsa2048 = rsa(2048);
const kinds: [Pair & { readonly key: VerifyingKey }, Hash][] = [
  [p256, "sha256"],
  [p384, "sha384"],
  [rsa2048, "sha256"],
  [rsa2048, "sha512"],
];

Deno.test("what node:crypto signs is verified, and nothing else", () => {
  for (const [{ key, privateKey }, hash] of kinds) {
    const signature = Uint8Array.from(sign(hash, DATA, privateKey));
    equal(isSignedBy(key, hash, signature, DATA), true);
    equal(isSignedBy(key, hash, signature, DATA.with(3, 0)), false);
    equal(isSignedBy(key, hash, new Uint8Array(0), DATA), false);
    equal(isSignedBy(key, hash, signature, new Uint8Array(0)), false);
  }
  const other = Uint8Array.from(sign("sha256", DATA, ofCurve("P-256").privateKey));
  equal(isSignedBy(p256.key, "sha256", other, DATA), false);
});

Deno.test("no changed byte of a signature is taken", () => {
  const signature = Uint8Array.from(sign("sha256", DATA, p256.privateKey));
  const changed = fc.tuple(fc.nat(signature.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(fc.property(changed, ([at, flip]) => {
    equal(isSignedBy(p256.key, "sha256", signature.with(at, signature[at] ^ flip), DATA), false);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    equal(isSignedBy(p256.key, "sha256", bytes, DATA), false);
  }));
});

Deno.test("a point that is not on the curve, or has another form, is no key", () => {
  const point = (p256.key as { point: Uint8Array }).point;
  const wrong = [
    point.with(64, point[64] ^ 1),
    point.subarray(0, 64),
    new Uint8Array(65),
    Uint8Array.of(2, ...point.subarray(1, 33)),
    Uint8Array.of(0),
    new Uint8Array(65).fill(255).with(0, 4),
  ];
  for (const point of wrong) {
    throws(() => isSignedBy({ curve: "P-256", point }, "sha256", DATA, DATA), /Cannot use a key/);
  }
  throws(() => isSignedBy({ curve: "P-384", point }, "sha384", DATA, DATA), /Cannot use a key/);
  throws(() => isSignedBy({ pkcs1: DATA }, "sha256", DATA, DATA), /Cannot use a key/);
});

Deno.test("a signing key signs what node:crypto verifies, for every kind of key", () => {
  const ed25519 = generateKeyPairSync("ed25519");
  for (const [{ privateKey, publicKey }, hash] of [...kinds, [ed25519, undefined] as const]) {
    using key = new SigningKey(der(privateKey, "pkcs8"));
    ok(verify(hash ?? null, DATA, publicKey, key.sign(hash, DATA)));
    ok(!verify(hash ?? null, DATA.with(0, 0), publicKey, key.sign(hash, DATA)));
  }
  equal(liveSigningKeys.count, 0);
});

Deno.test("what is no private key is refused, and a freed one signs nothing", () => {
  throws(() => new SigningKey(DATA), /Cannot use a private key/);
  const key = new SigningKey(der(p256.privateKey, "pkcs8"));
  key[Symbol.dispose]();
  key[Symbol.dispose]();
  throws(() => key.sign("sha256", DATA), /the key was freed/);
  equal(liveSigningKeys.count, 0);
});

Deno.test("a failure leaves nothing for the next signature", () => {
  const signature = Uint8Array.from(sign("sha256", DATA, p256.privateKey));
  throws(() => isSignedBy({ pkcs1: DATA }, "sha256", DATA, DATA), /Cannot use a key/);
  equal(isSignedBy(p256.key, "sha256", DATA, DATA), false);
  equal(isSignedBy(p256.key, "sha256", signature, DATA), true);
});
