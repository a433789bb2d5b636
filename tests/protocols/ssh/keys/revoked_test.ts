/** Revocation lists that `ssh-keygen -k` makes, asked as `ssh-keygen -Q` is. */
import fc from "fast-check";
import { readCertificate } from "../../../../protocols/ssh/keys/certificate.ts";
import { concat, Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import type { RevokedList } from "../../../../gate/identity/logins.ts";
import { isKrl, readKrl } from "../../../../protocols/ssh/keys/krl.ts";
import { readRevoked, Revocations } from "../../../../protocols/ssh/keys/revoked.ts";
import { equal, ok } from "../../../support/assert.ts";
import { run } from "../../../support/child.ts";
import { mutated } from "../../../support/mutations.ts";
import { Keygen, type MadeKey } from "../../../support/ssh_keygen.ts";

const keygen = await Keygen.make();
const [authority, other, user, stranger] = await Promise.all(
  ["ed25519", "ed25519", "ecdsa -b 256", "rsa -b 2048"].map((options) => keygen.key(`-t ${options}`)),
);

/** A KRL of this specification (ssh-keygen(1), KEY REVOCATION LISTS). */
async function made(
  specification: string,
  ca?: MadeKey | "none",
): Promise<{ file: string; bytes: Uint8Array }> {
  const file = keygen.path("krl"), list = keygen.path("list");
  const signer = ca ? ["-s", ca === "none" ? ca : `${ca.file}.pub`] : [];
  await Deno.writeTextFile(list, specification);
  await keygen.said("-q", "-k", "-f", file, ...signer, "-z", "3", list);
  return { file, bytes: await Deno.readFile(file) };
}

function revocations(bytes: Uint8Array): Revocations {
  const { list, faults } = readRevoked("revoked", bytes), revoked = new Revocations();
  ok(list, JSON.stringify(faults));
  revoked.add(structuredClone(list));
  return revoked;
}

/** Whether ssh-keygen says that the key or certificate in this file is revoked. */
const isRevoked = async (krl: string, file: string) =>
  (await run("ssh-keygen", ["-Q", "-f", krl, file])).code !== 0;

function certificate(text: string) {
  const read = readCertificate(Uint8Array.fromBase64(text.split(" ")[1]));
  if (read instanceof Refusal) throw read;
  return read;
}

Deno.test("keys are revoked by themselves and by their hashes, as ssh-keygen says", async () => {
  const print = async ({ file }: MadeKey) => (await keygen.said("-lf", `${file}.pub`)).split(" ")[1];
  const lists = [
    `key: ${user.line}`,
    user.line,
    `sha1: ${user.line}`,
    `sha256: ${user.line}`,
    `hash: ${await print(user)}`,
  ];
  for (const text of lists) {
    const { file, bytes } = await made(`# a comment\n${text}\n`), revoked = revocations(bytes);
    equal([revoked.ofKey(user.blob), revoked.ofKey(stranger.blob)], ["revoked", undefined], text);
    equal(await isRevoked(file, `${user.file}.pub`), true);
    equal(await isRevoked(file, `${stranger.file}.pub`), false);
  }
});

Deno.test("certificates are revoked by serial numbers, ranges, bitmaps and key IDs, as ssh-keygen says", async () => {
  const serials = [1, 2, 5, 9, 10, 11, 500, 1000, 1001, 4000, 70_000];
  const files = new Map<number, string>();
  for (const serial of serials) {
    files.set(serial, await keygen.certificateFile(authority, user, { serial }));
  }
  const scattered = Array.from({ length: 200 }, (_, i) => `serial: ${1000 + i * 3}`).join("\n"); // a bitmap
  const lists = [
    "serial: 5",
    "serial: 9-11\nserial: 2",
    scattered,
    "serial: 1-70000",
    "id: another",
    "id: an id",
  ];
  let bitmaps = 0;
  for (const text of lists) {
    const { file, bytes } = await made(text, authority), revoked = revocations(bytes);
    const list = readKrl("", bytes) as RevokedList;
    bitmaps += list.certificates[0].bitmaps.length;
    for (const [serial, path] of files) {
      const found = revoked.ofCertificate(certificate(await Deno.readTextFile(path)));
      equal(found !== undefined, await isRevoked(file, path), `${serial} in ${text.slice(0, 30)}`);
    }
  }
  ok(bitmaps > 0);
});

Deno.test("another authority's certificates are not meant, unless the list is for every authority", async () => {
  const theirs = certificate(
    await Deno.readTextFile(await keygen.certificateFile(other, user, { serial: 5 })),
  );
  const ours = certificate(
    await Deno.readTextFile(await keygen.certificateFile(authority, user, { serial: 5 })),
  );
  const revoked = revocations((await made("serial: 5", authority)).bytes);
  equal([revoked.ofCertificate(ours), revoked.ofCertificate(theirs)], ["revoked", undefined]);
  const { bytes } = await made("id: an id", "none");
  equal(revocations(bytes).ofCertificate(theirs), "revoked");
});

Deno.test("a certificate goes with its key, and with its authority's; serial number 0 is none", async () => {
  const of = async (serial: number) =>
    certificate(await Deno.readTextFile(await keygen.certificateFile(authority, user, { serial })));
  for (const key of [user, authority]) {
    equal(revocations((await made(key.line)).bytes).ofCertificate(await of(1)), "revoked");
  }
  const all = revocations((await made("serial: 1-18446744073709551615", authority)).bytes);
  equal([all.ofCertificate(await of(1)), all.ofCertificate(await of(0))], ["revoked", undefined]);
});

Deno.test("a list of public keys revokes each of them, and one wrong line makes it useless", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const revoked = revocations(encode(`# gone\n${user.line}\n\n${authority.line}\n`));
  equal([revoked.ofKey(user.blob), revoked.ofKey(stranger.blob)], ["revoked", undefined]);
  const wrong = 'expected the type of a key, got "no"';
  equal(readRevoked("list", encode(`${user.line}\nno key\n`)), {
    faults: [{ place: "list:2:1", why: wrong }],
  });
  equal(readRevoked("krl", encode("SSHKRL\n\0")), { faults: [{ place: "krl", why: "it is cut short" }] });
});

Deno.test("what is not known in a list refuses it whole", () => {
  const uint32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
  const krl = (...sections: [number, Uint8Array][]) =>
    concat(
      new TextEncoder().encode("SSHKRL\n\0"),
      uint32(1),
      new Uint8Array(24),
      strings("", "a comment"),
      ...sections.map(([type, bytes]) => concat(Uint8Array.of(type), strings(bytes))),
    );
  const refused = (bytes: Uint8Array, why: RegExp) => {
    const list = readKrl("", bytes);
    ok(list instanceof Refusal && why.test(list.why), list instanceof Refusal ? list.why : "taken");
  };
  ok(!(readKrl("", krl()) instanceof Refusal));
  refused(krl([9, new Uint8Array(0)]), /type 9/);
  refused(krl([1, concat(strings("", ""), Uint8Array.of(0x44), strings(""))]), /type 68/);
  const extension = (critical: number) => concat(strings("x"), Uint8Array.of(critical), strings("y"));
  ok(!(readKrl("", krl([255, extension(0)])) instanceof Refusal));
  refused(krl([255, extension(1)]), /extension "x"/);
  refused(krl([3, strings("short")]), /5 octets, not 20/);
  refused(krl([5, strings(new Uint8Array(33))]), /33 octets, not 32/);
  const serials = (type: number, ...bytes: Uint8Array[]) =>
    krl([1, concat(strings("", ""), Uint8Array.of(type), strings(concat(...bytes)))]);
  refused(serials(0x21, new Uint8Array(8).fill(1), new Uint8Array(8)), /serial numbers from/);
  refused(serials(0x20, new Uint8Array(7)), /cut short/);
  refused(serials(0x22, new Uint8Array(8), strings(Uint8Array.of(0x80))), /negative/);
  const signed = concat(krl(), Uint8Array.of(4), strings("a key", "a signature"));
  ok(!(readKrl("", signed) instanceof Refusal));
  refused(krl().with(11, 2), /format 2/);
  ok(!isKrl(new Uint8Array(0)) && readKrl("", new Uint8Array(9)) instanceof Refusal);
});

Deno.test("every proper prefix that ends within something is refused; damaged lists give a list or a Refusal", async () => {
  const text = `${user.line}\nsha256: ${stranger.line}\nserial: 3\nserial: 9-12\nid: x`;
  const { bytes } = await made(text, authority);
  const whole = readKrl("", bytes) as RevokedList;
  for (let size = 0; size < bytes.length; size++) {
    const list = readKrl("", bytes.subarray(0, size));
    if (list instanceof Refusal) continue;
    ok(list.keys.length + list.sha256.length + list.certificates.length < 3, `${size}`); // it ends behind a section
  }
  equal([whole.keys.length, whole.sha256.length, whole.certificates.length], [1, 1, 1]);
  fc.assert(fc.property(mutated(bytes), (damaged) => void readKrl("", damaged)), { numRuns: 300 });
});
