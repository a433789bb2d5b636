/** Signatures that ssh-keygen makes; those of security keys are made here, as their authenticators do. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { SigningKey } from "../../../../gate/engine/openssl_keys.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { SIGNATURE_ALGORITHMS, signatureAlgorithm } from "../../../../protocols/ssh/keys/algorithms.ts";
import { concat, Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import { type PublicKey, readPublicKey } from "../../../../protocols/ssh/keys/public_key.ts";
import {
  type Demands,
  signatureBlob,
  verifySignature,
  whyNotEnough,
} from "../../../../protocols/ssh/keys/signature.ts";
import { equal, ok, throws } from "../../../support/assert.ts";
import { mutated } from "../../../support/mutations.ts";
import { Keygen } from "../../../support/ssh_keygen.ts";

openssl(); // stays open
const keygen = await Keygen.make();
const MESSAGE = new TextEncoder().encode("a message");
const TOUCHED = 1, VERIFIED = 4;

function read(blob: Uint8Array): PublicKey {
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw key;
  return key;
}

async function opensshSigned(options: string) {
  const made = await keygen.key(`-t ${options}`);
  return { key: read(made.blob), ...await keygen.signed(made, MESSAGE) };
}

const kinds = ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048", "rsa -b 4096"];
const signed = await Promise.all(kinds.map(opensshSigned));

function refused(answer: true | Refusal, why: RegExp): void {
  ok(answer instanceof Refusal, `taken, not ${why}`);
  ok(why.test(answer.why), `${answer.why}, not ${why}`);
}

Deno.test("what OpenSSH signs is taken, under that key and of that data alone", () => {
  for (const [i, { key, signature, data }] of signed.entries()) {
    equal(verifySignature(key, signature, data), true);
    refused(verifySignature(key, signature, data.with(9, 0)), /not that of the key/);
    for (const other of signed.filter((_, j) => i !== j)) {
      ok(verifySignature(other.key, signature, data) instanceof Refusal);
    }
  }
});

Deno.test("no damaged signature is taken", () => {
  for (const { key, signature, data } of signed) {
    const slow = key.kind === "ecdsa" && key.curve !== "P-256";
    fc.assert(
      fc.property(mutated(signature), (bytes) => {
        if (bytes.toHex() !== signature.toHex()) ok(verifySignature(key, bytes, data) instanceof Refusal);
      }),
      { numRuns: slow ? 20 : 100 },
    );
  }
});

Deno.test("RSA signs by SHA-2; SHA-1, and another algorithm than was agreed on, are refused", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = read(blobOfRsa(publicKey));
  const by = (name: string, hash: string) => strings(name, Uint8Array.from(sign(hash, MESSAGE, privateKey)));
  const agreed = { algorithm: "rsa-sha2-512" };
  equal(verifySignature(key, by("rsa-sha2-256", "sha256"), MESSAGE), true);
  equal(verifySignature(key, by("rsa-sha2-512", "sha512"), MESSAGE, agreed), true);
  refused(verifySignature(key, by("ssh-rsa", "sha1"), MESSAGE), /by "ssh-rsa"/);
  refused(verifySignature(key, by("rsa-sha2-256", "sha512"), MESSAGE), /not that of the key/);
  refused(verifySignature(key, by("rsa-sha2-256", "sha256"), MESSAGE, agreed), /agreed on/);
  refused(verifySignature(key, new Uint8Array(3000), MESSAGE), /3000 bytes/);
});

Deno.test("an RSA signature without its zeros in front is taken", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = read(blobOfRsa(publicKey));
  for (let i = 0;; i++) {
    const data = Uint8Array.of(i >>> 8, i), value = Uint8Array.from(sign("sha256", data, privateKey));
    if (value[0] > 0) continue;
    return equal(verifySignature(key, strings("rsa-sha2-256", value.subarray(1)), data), true);
  }
});

function blobOfRsa(key: KeyObject): Uint8Array {
  const { n = "", e = "" } = key.export({ format: "jwk" });
  const octets = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
  return strings("ssh-rsa", octets(e), Uint8Array.from([0, ...octets(n)]));
}

/** A FIDO key of this application, and what it signs with these flags. */
function securityKey(kind: "ed25519" | "ecdsa", application: string) {
  const isEd25519 = kind === "ed25519";
  const { publicKey, privateKey } = isEd25519
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = Uint8Array.from(publicKey.export({ type: "spki", format: "der" }));
  const type = isEd25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com";
  const blob = isEd25519
    ? strings(type, spki.slice(-32), application)
    : strings(type, "nistp256", spki.slice(-65), application);
  const digest = (bytes: Uint8Array | string) => Uint8Array.from(createHash("sha256").update(bytes).digest());
  const signs = (data: Uint8Array, flags: number, counter = 77) => {
    const tail = Uint8Array.of(flags, 0, 0, 0, counter);
    const bytes = concat(digest(application), tail, digest(data));
    if (isEd25519) return concat(strings(type, Uint8Array.from(sign(null, bytes, privateKey))), tail);
    const numbers = sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
    const value = strings(mpint(numbers.subarray(0, 32)), mpint(numbers.subarray(32)));
    return concat(strings(type, value), tail);
  };
  return { key: read(blob), signs };
}

function mpint(octets: Uint8Array): Uint8Array {
  const bare = octets.subarray(octets.findIndex((octet) => octet > 0));
  return bare[0] > 127 ? concat(Uint8Array.of(0), bare) : bare;
}

Deno.test("security keys have to be touched, and to ask who it is where that is demanded", () => {
  for (const kind of ["ed25519", "ecdsa"] as const) {
    const { key, signs } = securityKey(kind, "ssh:");
    const answer = (flags: number, demands?: Demands) =>
      verifySignature(key, signs(MESSAGE, flags), MESSAGE, demands);
    equal(answer(TOUCHED), true);
    refused(answer(0), /nobody touched/);
    equal(answer(0, { touch: false }), true);
    refused(answer(TOUCHED, { verified: true }), /did not ask/);
    equal(answer(TOUCHED | VERIFIED, { verified: true }), true);
    refused(answer(VERIFIED, { verified: true }), /nobody touched/);
  }
});

Deno.test("what was enough once is held against what is demanded later, without being verified again", () => {
  for (const kind of ["ed25519", "ecdsa"] as const) {
    const { key, signs } = securityKey(kind, "ssh:"), untouched = signs(MESSAGE, 0);
    const touched = signs(MESSAGE, TOUCHED), verified = signs(MESSAGE, TOUCHED | VERIFIED);
    equal(whyNotEnough(key, untouched, { touch: false }), undefined);
    ok(/nobody touched/.test(whyNotEnough(key, untouched, {})!.why));
    equal(whyNotEnough(key, touched, {}), undefined);
    ok(/did not ask/.test(whyNotEnough(key, touched, { verified: true })!.why));
    equal(whyNotEnough(key, verified, { verified: true }), undefined);
  }
  for (const { key, signature } of signed) equal(whyNotEnough(key, signature, { verified: true }), undefined);
});

Deno.test("flags, counter and application are signed too", () => {
  const untouched = { touch: false };
  for (const kind of ["ed25519", "ecdsa"] as const) {
    const { key, signs } = securityKey(kind, "ssh:"), signature = signs(MESSAGE, 0);
    const flagged = signature.with(signature.length - 5, TOUCHED);
    refused(verifySignature(key, flagged, MESSAGE), /not that of the key/);
    const counted = signature.with(signature.length - 1, 78);
    refused(verifySignature(key, counted, MESSAGE, untouched), /not that of the key/);
    ok(key.kind !== "rsa");
    const elsewhere = { ...key, application: "ssh:x" };
    refused(verifySignature(elsewhere, signature, MESSAGE, untouched), /not that of the key/);
    for (let size = 0; size < signature.length; size++) {
      ok(verifySignature(key, signature.subarray(0, size), MESSAGE, untouched) instanceof Refusal);
    }
  }
});

Deno.test("what our keys sign is a blob that verifies; a signature that is no DER makes none", () => {
  const curves = [["P-256", "ecdsa-sha2-nistp256", 65], ["P-384", "ecdsa-sha2-nistp384", 97]] as const;
  for (const [namedCurve, name, size] of curves) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
    using signing = new SigningKey(Uint8Array.from(privateKey.export({ type: "pkcs8", format: "der" })));
    const algorithm = signatureAlgorithm(name)!;
    const point = Uint8Array.from(publicKey.export({ type: "spki", format: "der" })).slice(-size);
    const key = read(strings(name, name.slice(11), point));
    for (let i = 0; i < 20; i++) { // with and without zeros in front of the numbers
      const data = Uint8Array.of(i);
      equal(verifySignature(key, signatureBlob(algorithm, signing.sign(algorithm.hash, data)), data), true);
    }
  }
  const p256 = signatureAlgorithm("ecdsa-sha2-nistp256")!;
  const wrong = [[], [0x30, 0], [0x30, 3, 2, 1, 1], [0x30, 6, 2, 1, 1, 2, 1, 1, 0], [
    ...[0x30, 6, 2, 1, 1, 2, 9, 1],
  ]];
  for (const bytes of wrong) {
    throws(() => signatureBlob(p256, Uint8Array.from(bytes)), /no DER/);
  }
});

Deno.test("SHA-1 is not among the algorithms that servers tell of", () => {
  ok(!SIGNATURE_ALGORITHMS.includes("ssh-rsa") && SIGNATURE_ALGORITHMS.includes("rsa-sha2-512"));
});
