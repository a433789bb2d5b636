/** Public keys as ssh-keygen makes and reads them. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { vipOf } from "../../../../gate/identity/node_id.ts";
import { Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import {
  fingerprint,
  keyId,
  keyOctets,
  type PublicKey,
  readPublicKey,
} from "../../../../protocols/ssh/keys/public_key.ts";
import { equal, ok } from "../../../support/assert.ts";
import { mutated } from "../../../support/mutations.ts";
import { Keygen } from "../../../support/ssh_keygen.ts";

const keygen = await Keygen.make();
const kinds = ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048", "rsa -b 3072"];
const made = await Promise.all(kinds.map((options) => keygen.key(`-t ${options}`)));
const point = Uint8Array.fromHex(
  "048083d294822d4a53a134c58fae3eb78e3d1c3f3014f6500390d51c098ec3a77f8f6a8bd841afa07d63611646944bd9c310287ea3363645fea5117346c3a1bf81",
);
const gate = strings("ecdsa-sha2-nistp256", "nistp256", point);
const securityKeys = [
  strings("sk-ssh-ed25519@openssh.com", new Uint8Array(32).fill(7), "ssh:"),
  strings("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point, "ssh:work"),
];

function read(blob: Uint8Array): PublicKey {
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw key;
  return key;
}

Deno.test("keys of every type are read, and fingerprints are those of ssh-keygen", async () => {
  for (const { blob, file, line } of made) {
    const key = read(blob);
    equal([key.type as string, key.blob], [line.split(" ")[0], blob]);
    const [, printed] = (await keygen.said("-lf", `${file}.pub`)).split(" ");
    equal(fingerprint(blob), printed);
  }
  equal(securityKeys.map((blob) => read(blob)).map((key) => key.kind !== "rsa" && key.application), [
    "ssh:",
    "ssh:work",
  ]);
});

Deno.test("the blob is the key's own: it may be kept when the bytes are overwritten", () => {
  const bytes = gate.slice(), key = read(bytes);
  bytes.fill(0);
  equal(key.blob, gate);
  ok(key.kind === "ecdsa");
  equal(key.point, point);
});

Deno.test("IDs are made of the point, of Ed25519's octets, of PKCS #1, of any other key's blob", () => {
  equal(keyId(read(gate)), "GJU4ACOW36Q3IBL45T2TRQ63M6FNQYEJMLPJNDJETIOVIEFD7MGQ");
  equal(vipOf(keyOctets(read(gate))), "fd00::a511:7346:c3a1:bf81");
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  const octets = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
  const blob = strings("ssh-rsa", octets(e), Uint8Array.from([0, ...octets(n)]));
  const pkcs1 = Uint8Array.from(publicKey.export({ type: "pkcs1", format: "der" }));
  equal(keyOctets(read(blob)), { form: "pkcs1", octets: pkcs1 });
  equal(keyOctets(read(made[0].blob)), { form: "ed25519", octets: made[0].blob.slice(-32) });
  for (const blob of [made[2].blob, ...securityKeys]) {
    equal(keyOctets(read(blob)), { form: "blob", octets: blob });
  }
});

Deno.test("what is weak, costly or ambiguous is no key", () => {
  const modulus = (bits: number) => new Uint8Array(bits / 8 + 1).fill(255).with(0, 0);
  const e = Uint8Array.of(1, 0, 1);
  const wrong: [Uint8Array, RegExp][] = [
    [strings("ssh-rsa", e, modulus(1024)), /1024 bits/],
    [strings("ssh-rsa", e, modulus(2040)), /2040 bits/],
    [strings("ssh-rsa", e, modulus(8200)), /1025 octets/],
    [strings("ssh-rsa", Uint8Array.of(1, 0, 0, 0, 1), modulus(2048)), /5 octets/],
    [strings("ssh-rsa", Uint8Array.of(1), modulus(2048)), /no RSA key/],
    [strings("ssh-rsa", Uint8Array.of(2), modulus(2048)), /no RSA key/],
    [strings("ssh-rsa", e, modulus(2048).with(256, 254)), /no RSA key/],
    [strings("ssh-rsa", Uint8Array.of(0, 1, 0, 1), modulus(2048)), /zeros in front/],
    [strings("ssh-rsa", e, modulus(2048).subarray(1)), /negative/],
    [strings("ssh-rsa", new Uint8Array(0), modulus(2048)), /zero/],
    [strings("ssh-dss", e, e, e, e), /type "ssh-dss"/],
    [strings("ssh-ed25519", new Uint8Array(31)), /31 octets/],
    [strings("ssh-ed25519", new Uint8Array(33)), /33 bytes/],
    [strings("ecdsa-sha2-nistp256", "nistp384", point), /curve/],
    [strings("ecdsa-sha2-nistp256", "nistp256", point.slice(0, 33).with(0, 2)), /without compression/],
    [strings("ecdsa-sha2-nistp256", "nistp256", Uint8Array.of(0)), /without compression/],
    [strings("ssh-ed25519", new Uint8Array(32), "more"), /behind its end/],
    [strings("sk-ssh-ed25519@openssh.com", new Uint8Array(32)), /cut short/],
    [strings("sk-ssh-ed25519@openssh.com", new Uint8Array(32), "s\0h"), /NUL/],
    [strings("ssh-ed25519", new Uint8Array(5000)), /a key of/],
    [new Uint8Array(0), /cut short/],
    [Uint8Array.of(255, 255, 255, 255, 1), /cut short/],
  ];
  for (const [blob, why] of wrong) {
    const refusal = readPublicKey(blob);
    ok(refusal instanceof Refusal, String(why));
    ok(why.test(refusal.why), `${refusal.why}, not ${why}`);
  }
});

Deno.test("every proper prefix is refused, and damaged keys give a key or a Refusal", () => {
  for (const blob of [...made.map(({ blob }) => blob), ...securityKeys]) {
    for (let size = 0; size < blob.length; size++) {
      ok(readPublicKey(blob.subarray(0, size)) instanceof Refusal);
    }
    fc.assert(fc.property(mutated(blob), (bytes) => {
      const key = readPublicKey(bytes);
      if (!(key instanceof Refusal)) equal(key.blob, bytes); // one key, one blob
    }));
  }
});
