/** Certificates that ssh-keygen issues, held against what it prints of them; and damaged and forged ones. */
import fc from "fast-check";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import {
  type Asked,
  type Certificate,
  describeCertificate,
  isCertificate,
  readCertificate,
  whyNot,
} from "../../../../protocols/ssh/keys/certificate.ts";
import { concat, Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import { fingerprint } from "../../../../protocols/ssh/keys/public_key.ts";
import { equal, ok } from "../../../support/assert.ts";
import { mutated } from "../../../support/mutations.ts";
import { blobOf, type Certifying, Keygen } from "../../../support/ssh_keygen.ts";

openssl(); // stays open
const keygen = await Keygen.make();
const authority = await keygen.key("-t ed25519"), user = await keygen.key("-t ecdsa -b 256");
const NOW = Date.parse("2026-06-01T12:00:00Z");
const asUser: Asked = { kind: "user", now: NOW };

function read(blob: Uint8Array): Certificate {
  const certificate = readCertificate(blob);
  if (certificate instanceof Refusal) throw certificate;
  return certificate;
}

const issue = async (asked?: Certifying) => read(await keygen.certify(authority, user, asked));

function refused(refusal: unknown, why: RegExp): void {
  ok(refusal instanceof Refusal, `taken, not ${why}`);
  ok(why.test(refusal.why), `${refusal.why}, not ${why}`);
}

/** What `ssh-keygen -L` says, by its titles; lists as lines. */
async function listed(file: string): Promise<Record<string, string>> {
  const text = await keygen.said("-L", "-f", file), found: Record<string, string> = {};
  let title = "";
  for (const line of text.trimEnd().split("\n").slice(1)) {
    const [, name, value] = /^ {8}([A-Z][\w ]*): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) found[title = name] = value;
    else if (title) found[title] += `${line.trim()}\n`;
  }
  return found;
}

const kinds = ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"];
const OPTIONS = ["clear", "permit-pty", "permit-port-forwarding", "force-command=date -u"];

Deno.test("certificates of every type, by authorities of every type, are read as ssh-keygen reads them", async () => {
  const made = await Promise.all(kinds.map((options) => keygen.key(`-t ${options}`)));
  const point = made[1].blob.slice(-65);
  const public_ = [
    await keygen.publicKey(
      "sk-ssh-ed25519@openssh.com",
      strings("sk-ssh-ed25519@openssh.com", made[0].blob.slice(-32), "ssh:"),
    ),
    await keygen.publicKey(
      "sk-ecdsa-sha2-nistp256@openssh.com",
      strings("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point, "ssh:"),
    ),
  ];
  for (const [i, key] of [...made, ...public_].entries()) {
    for (const host of [false, true]) {
      const by = made[i % made.length];
      const asked = {
        host,
        principals: "a,b.example",
        serial: 2n ** 64n - 1n,
        validity: "20260101:20270101",
      };
      const file = await keygen.certificateFile(by, key, { ...asked, options: host ? [] : OPTIONS });
      const certificate = read(blobOf(await Deno.readTextFile(file))), said = await listed(file);
      equal(certificate.key.blob, key.blob);
      equal(certificate.authority.blob, by.blob);
      equal(said["Type"].split(" ")[1], certificate.kind);
      equal(said["Public key"].split(" ")[1], fingerprint(certificate.key.blob));
      equal(said["Signing CA"].split(" ")[1], fingerprint(certificate.authority.blob));
      equal([said["Key ID"], said["Serial"]], [`"${certificate.keyId}"`, String(certificate.serial)]);
      equal(said["Principals"], certificate.principals.map((name) => `${name}\n`).join(""));
      const [, from, to] = /^from (\S+) to (\S+)$/.exec(said["Valid"])!; // in local time, both
      equal([Date.parse(from), Date.parse(to)], [certificate.validAfter, certificate.validBefore]);
      const extensions = [...certificate.extensions].map((name) => `${name}\n`).join("");
      equal(said["Extensions"].replace("(none)", ""), extensions);
      if (!host) equal(said["Critical Options"], "force-command date -u\n");
      equal(certificate.constraints.forceCommand, host ? undefined : "date -u");
      equal(whyNot(certificate, { kind: certificate.kind, now: NOW, principal: "b.example" }), undefined);
    }
  }
});

Deno.test("validity ends in time, and may have no end", async () => {
  const certificate = await issue({ validity: "20260101:20260701" });
  const at = (now: number) => whyNot(certificate, { kind: "user", now });
  equal(at(certificate.validAfter), undefined);
  equal(at(certificate.validBefore - 1), undefined);
  refused(at(certificate.validAfter - 1), /not valid yet/);
  refused(at(certificate.validBefore), /not valid any more/);
  const forever = await issue();
  equal([forever.validAfter, forever.validBefore], [0, Infinity]);
});

Deno.test("a certificate is for its principals, and for its kind", async () => {
  const certificate = await issue({ principals: "pi,web" });
  equal(whyNot(certificate, { ...asUser, principal: "web" }), undefined);
  for (const principal of ["", "Pi", "pi,web", "p*"]) {
    refused(whyNot(certificate, { ...asUser, principal }), /not for/);
  }
  refused(whyNot(certificate, { ...asUser, kind: "host" }), /certificate of a user/);
  refused(whyNot(await issue({ principals: "" }), asUser), /no principals/);
  refused(whyNot(await issue({ host: true }), asUser), /certificate of a host/);
});

Deno.test("critical options are read; who does not know one refuses", async () => {
  const { constraints } = await issue({ options: ["source-address=10.0.0.0/8,::1/128", "verify-required"] });
  equal([constraints.sourceAddress, constraints.verifyRequired], [["10.0.0.0/8", "::1/128"], true]);
  const unknown = await issue({ options: ["critical:new@example.com=1", "extension:other@example.com=2"] });
  equal(unknown.constraints.unknown, ["new@example.com"]);
  ok(unknown.extensions.has("other@example.com"));
  refused(whyNot(unknown, asUser), /critical option "new@example.com"/);
  const host = await issue({ host: true, options: ["critical:force-command=date"] });
  ok(whyNot(host, { kind: "host", now: NOW }) instanceof Refusal);
});

Deno.test("nothing of a certificate can be changed without its authority's signature", async () => {
  const blob = await keygen.certify(authority, user, { principals: "pi" });
  let read = 0;
  for (let at = 0; at < blob.length; at++) {
    const certificate = readCertificate(blob.with(at, blob[at] ^ 1));
    if (certificate instanceof Refusal) continue;
    read++;
    ok(whyNot(certificate, { ...asUser, kind: certificate.kind }) instanceof Refusal, `byte ${at}`);
  }
  ok(read > 50);
});

Deno.test("a certificate by SHA-1, by another certificate, or by a weak key is refused", async () => {
  const rsa = await keygen.key("-t rsa -b 2048");
  const file = await keygen.certificateFile(rsa, user, { options: [] });
  equal(whyNot(read(blobOf(await Deno.readTextFile(file))), asUser), undefined);
  const signedAgain = (name: string) => {
    const { signed, signature } = read(blobOf(Deno.readTextFileSync(file)));
    return concat(signed, strings(strings(name, signature.slice(-256))));
  };
  refused(whyNot(read(signedAgain("ssh-rsa")), asUser), /did not sign it: a signature by "ssh-rsa"/);
  refused(whyNot(read(signedAgain("rsa-sha2-256")), asUser), /did not sign it/);
  const inner = await keygen.certify(authority, user), { signed, signature, authority: by } = read(inner);
  const nested = concat(signed.subarray(0, -by.blob.length - 4), strings(inner, signature));
  refused(readCertificate(nested), /type "ecdsa-sha2-nistp256-cert-v01@openssh.com" are not taken/);
});

Deno.test("what is twice, too much, or not as it has to be is refused", async () => {
  const { signed, signature } = await issue({ options: ["clear"] });
  const blob = concat(signed, strings(signature));
  const reserved = signed.length - authority.blob.length - 4 - 4;
  const withOptions = (critical: Uint8Array, extensions: Uint8Array) =>
    concat(signed.subarray(0, reserved - 8), strings(critical, extensions, "", authority.blob, signature));
  ok(!(readCertificate(withOptions(strings(), strings())) instanceof Refusal));
  const data = strings("x"), none = strings();
  refused(readCertificate(withOptions(strings("a", data, "a", data), none)), /a twice/);
  refused(readCertificate(withOptions(none, strings("permit-pty", "", "permit-pty", ""))), /twice/);
  refused(readCertificate(withOptions(strings("force-command"), none)), /cut short/);
  refused(readCertificate(withOptions(strings("force-command", concat(data, data)), none)), /behind its end/);
  refused(readCertificate(withOptions(strings("source-address", strings("10.0.0.1/8")), none)), /network/);
  refused(readCertificate(withOptions(strings("source-address", strings("!10.0.0.0/8")), none)), /network/);
  refused(readCertificate(withOptions(strings("verify-required", data), none)), /with a value/);
  refused(readCertificate(concat(blob, Uint8Array.of(0))), /behind its end/);
  refused(readCertificate(new Uint8Array(40_000)), /40000 bytes/);
  refused(readCertificate(user.blob), /not taken/);
});

Deno.test("more principals than OpenSSH takes are refused", async () => {
  const { signed, signature } = await issue();
  const head = 4 + "ecdsa-sha2-nistp256-cert-v01@openssh.com".length;
  const withPrincipals = (count: number) => {
    const names = strings(...Array.from({ length: count }, (_, i) => `p${i}`));
    const idAt = signed.length - tailOf(signed); // serial, kind and key ID stand before
    return concat(
      signed.subarray(0, idAt),
      strings(names),
      signed.subarray(idAt + 4 + 6),
      strings(signature),
    );
  };
  const tailOf = (bytes: Uint8Array) => {
    const at = bytes.findLastIndex((_, i) =>
      i > head && bytes.subarray(i, i + 10).toHex() === "00000006000000027069"
    );
    return bytes.length - at;
  };
  equal(read(withPrincipals(256)).principals.length, 256);
  refused(readCertificate(withPrincipals(257)), /more than 256 principals/);
});

Deno.test("a blob tells whether it is a certificate; a description names key ID, serial and authority", async () => {
  ok(isCertificate(await keygen.certify(authority, user)));
  for (const blob of [user.blob, new Uint8Array(0), strings("x-cert-v01@openssh.com")]) {
    ok(!isCertificate(blob));
  }
  equal(describeCertificate(await issue()), `"an id" (serial 7) of ${fingerprint(authority.blob)}`);
});

Deno.test("every proper prefix is refused, damaged ones give a certificate or a Refusal", async () => {
  const options = ["source-address=10.0.0.0/8", "force-command=date"];
  for (const host of [false, true]) {
    const blob = await keygen.certify(authority, user, {
      host,
      options: host ? [] : options,
      principals: "a,b",
    });
    for (let size = 0; size < blob.length; size++) {
      ok(readCertificate(blob.subarray(0, size)) instanceof Refusal);
    }
    fc.assert(
      fc.property(mutated(blob), (bytes) => {
        const certificate = readCertificate(bytes);
        if (certificate instanceof Refusal || bytes.toHex() === blob.toHex()) return;
        ok(whyNot(certificate, { kind: certificate.kind, now: NOW }) instanceof Refusal);
      }),
      { numRuns: 300 },
    );
  }
});
