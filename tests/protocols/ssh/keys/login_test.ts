/** Logins as a table: what is shown, what the files say, and what becomes of it. */
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { certificateType } from "../../../../protocols/ssh/keys/algorithms.ts";
import { AuthorizedKeys, readAuthorizedKeys } from "../../../../protocols/ssh/keys/authorized_keys.ts";
import { Forgery, Refusal } from "../../../../protocols/ssh/keys/fields.ts";
import { keyText } from "../../../../protocols/ssh/keys/lines.ts";
import { admit, type Admitted, type Login, type Trusted } from "../../../../protocols/ssh/keys/login.ts";
import { fingerprint, keyId, readPublicKey } from "../../../../protocols/ssh/keys/public_key.ts";
import { readRevoked, Revocations } from "../../../../protocols/ssh/keys/revoked.ts";
import { equal, ok } from "../../../support/assert.ts";
import { type Certifying, Keygen, type MadeKey } from "../../../support/ssh_keygen.ts";

openssl(); // stays open
const keygen = await Keygen.make();
const [authority, user, other] = await Promise.all(
  ["ed25519", "ecdsa -b 256", "rsa -b 2048"].map((options) => keygen.key(`-t ${options}`)),
);
const NOW = Date.parse("2026-06-01T12:00:00Z");
const CA = fingerprint(authority.blob);

/** What the gate believes: lines of authorized_keys, authorities in files, what is revoked, IDs in rules. */
function trusted(
  given: { lines?: string; authorities?: MadeKey[]; revoked?: string; ids?: string[] },
): Trusted {
  const keys = new AuthorizedKeys(), revoked = new Revocations();
  const file = readAuthorizedKeys("keys", given.lines ?? "");
  equal(file.faults, []);
  keys.add(file.keys);
  if (given.revoked) revoked.add(readRevoked("gone", new TextEncoder().encode(given.revoked)).list!);
  return {
    keys,
    revoked,
    authorities: new Set(given.authorities?.map(({ blob }) => keyText(blob))),
    isNamed: (id) => given.ids?.includes(id) ?? false,
  };
}

const byKey = (key: MadeKey, given: Partial<Login> = {}): Login => (
  { user: "pi", algorithm: key.line.split(" ")[0], blob: key.blob, source: "192.0.2.1", now: NOW, ...given }
);

async function byCertificate(asked: Certifying = {}, given: Partial<Login> = {}): Promise<Login> {
  const blob = await keygen.certify(authority, user, asked);
  return byKey(user, { algorithm: certificateType("ecdsa-sha2-nistp256"), blob, ...given });
}

function taken(login: Login, given: Parameters<typeof trusted>[0]): Admitted {
  const answer = admit(login, trusted(given));
  if (answer instanceof Refusal) throw answer;
  return answer;
}

function refused(login: Login, given: Parameters<typeof trusted>[0], why: RegExp): void {
  const answer = admit(login, trusted(given));
  ok(answer instanceof Refusal, `taken, not ${why}`);
  ok(why.test(answer.why), `${answer.why}, not ${why}`);
}

const idOf = ({ blob }: MadeKey): string => {
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw key;
  return keyId(key);
};

Deno.test("a key that stands in a file is its owner's, under any login name", () => {
  const { grant, demands, key } = taken(byKey(user, { user: "anybody" }), { lines: user.line });
  equal(grant.identity, {
    name: `key:${idOf(user)}`,
    names: [`key:${idOf(user)}`, `ssh:${fingerprint(user.blob)}`],
    proof: "ssh key",
  });
  equal([grant.by, grant.until, grant.forwarding, grant.principals], ["keys:1", Infinity, true, []]);
  equal([demands, key.blob], [{ touch: true, verified: false, algorithm: "ecdsa-sha2-nistp256" }, user.blob]);
  const unknown = byKey(other, { algorithm: "rsa-sha2-512" });
  refused(unknown, { lines: user.line }, /nobody believes the key SHA256:/);
});

Deno.test("a key in no file logs in where an allow rule names its ID, and not where a file's line has ended", () => {
  const { grant } = taken(byKey(user), { ids: [idOf(user)] });
  equal([grant.by, grant.forwarding, grant.role], ["policy", true, undefined]);
  refused(byKey(user), { ids: [idOf(other)] }, /nobody believes/);
  const lines = `expiry-time="20200101Z" ${user.line}`;
  refused(byKey(user), { lines, ids: [idOf(user)] }, /keys:1 does not hold .* not valid any more/);
});

Deno.test("what a line says holds: source, time, role, command, what is permitted", () => {
  const lines =
    `from="192.0.2.0/24",expiry-time="20260701Z",environment="UGATE_ROLE=admin",command="status",` +
    `permitopen="db:5432",permitlisten="pi.example.com:443",no-pty ${user.line}`;
  const { grant } = taken(byKey(user), { lines });
  equal([grant.role, grant.command, grant.pty, grant.until], [
    "admin",
    "status",
    false,
    Date.UTC(2026, 6, 1),
  ]);
  equal(grant.identity.names.at(-1), "role:admin");
  equal([grant.permitOpen, grant.permitListen], [
    [{ host: "db", port: 5432 }],
    [{ host: "pi.example.com", port: 443 }],
  ]);
  refused(byKey(user, { source: "198.51.100.1" }), { lines }, /not for a client from 198/);
  refused(byKey(user, { source: undefined }), { lines }, /from a unix socket/);
  refused(byKey(user, { now: Date.UTC(2026, 6, 1) }), { lines }, /not valid any more/);
});

Deno.test("of several lines of a key the first that holds is taken", () => {
  const lines =
    `from="10.0.0.0/8",environment="UGATE_ROLE=admin" ${user.line}\nrestrict ${user.line}\n${user.line}`;
  const { grant } = taken(byKey(user), { lines });
  equal([grant.by, grant.role, grant.forwarding], ["keys:2", undefined, false]);
  equal(taken(byKey(user, { source: "10.0.0.9" }), { lines }).grant.role, "admin");
});

Deno.test("a certificate is for its principals, by an authority of a file or of a line", async () => {
  for (const given of [{ authorities: [authority] }, { lines: `cert-authority ${authority.line}` }]) {
    const { grant, key, demands } = taken(await byCertificate({ principals: "web,pi" }), given);
    equal(grant.identity, {
      name: `principal:pi@${CA}`,
      names: [
        `principal:pi@${CA}`,
        `principal:web@${CA}`,
        `key:${idOf(user)}`,
        `ssh:${fingerprint(user.blob)}`,
      ],
      proof: "ssh certificate",
    });
    equal([grant.principals, grant.until, key.blob], [["web", "pi"], Infinity, user.blob]);
    equal(demands.algorithm, "ecdsa-sha2-nistp256");
    refused(await byCertificate({ principals: "web" }), given, /not for "pi"/);
    refused(await byCertificate({ principals: "" }), given, /no principals/);
    refused(await byCertificate({ host: true }), given, /certificate of a host/);
    refused(await byCertificate({ validity: "20200101:20210101" }), given, /not valid any more/);
  }
  refused(await byCertificate(), { authorities: [other] }, /nobody believes the authority of/);
  refused(await byCertificate(), { lines: authority.line }, /nobody believes the authority of/);
  refused(byKey(authority), { lines: `cert-authority ${authority.line}` }, /nobody believes the key/);
});

Deno.test("a certificate that its authority did not sign is told apart from one that is not taken", async () => {
  const login = await byCertificate({ principals: "pi" }), forged = login.blob.slice();
  forged[forged.length - 1] ^= 1;
  for (const given of [{ authorities: [authority] }, { lines: `cert-authority ${authority.line}` }]) {
    ok(admit({ ...login, blob: forged }, trusted(given)) instanceof Forgery);
    ok(!(admit({ ...login, blob: forged, user: "root" }, trusted(given)) instanceof Forgery));
  }
  ok(!(admit({ ...login, blob: forged }, trusted({})) instanceof Forgery));
});

Deno.test("on a line with principals they say whom its certificates are believed for", async () => {
  const lines = `cert-authority,principals="admins,pi" ${authority.line}`;
  const { grant } = taken(await byCertificate({ principals: "root,admins,guests" }), { lines });
  equal([grant.principals, grant.identity.name], [["admins"], `principal:admins@${CA}`]);
  refused(await byCertificate({ principals: "guests" }), { lines }, /none of its principals/);
  refused(await byCertificate({ principals: "admins" }, { user: "root" }), { lines }, /not for "root"/);
});

Deno.test("what certificate and line both allow is allowed, what either demands is demanded", async () => {
  const none = await byCertificate({ options: ["clear"] }), given = { authorities: [authority] };
  equal([taken(none, given).grant.forwarding, taken(none, given).grant.pty], [false, false]);
  const forwards = await byCertificate({ options: ["clear", "permit-port-forwarding", "force-command=a"] });
  equal([taken(forwards, given).grant.forwarding, taken(forwards, given).grant.command], [true, "a"]);
  const restricted = `cert-authority,restrict ${authority.line}`;
  equal(taken(forwards, { lines: restricted }).grant.forwarding, false);
  const twice = `cert-authority,command="b" ${authority.line}`;
  refused(forwards, { lines: twice }, /two commands/);
  const short = `cert-authority,expiry-time="20260701Z" ${authority.line}`;
  equal(taken(forwards, { lines: short }).grant.until, Date.UTC(2026, 6, 1));
  const untouched = await byCertificate({ options: ["no-touch-required", "verify-required"] });
  equal(taken(untouched, given).demands, { touch: false, verified: true, algorithm: "ecdsa-sha2-nistp256" });
  equal(taken(untouched, { lines: `cert-authority ${authority.line}` }).demands.touch, true);
  const waived = `cert-authority,no-touch-required ${authority.line}`;
  equal(taken(untouched, { lines: waived }).demands.touch, false);
});

Deno.test("where a certificate is for some sources it is for no others", async () => {
  const login = await byCertificate({ options: ["source-address=192.0.2.0/24"] });
  const given = { authorities: [authority] };
  equal(taken(login, given).grant.principals, ["pi"]);
  refused({ ...login, source: "198.51.100.1" }, given, /not for a client from 198/);
  refused({ ...login, source: undefined }, given, /from a unix socket/);
});

Deno.test("who is revoked is nobody, by key, by certificate, by authority", async () => {
  const certificate = await byCertificate(), authorities = [authority];
  refused(byKey(user), { lines: user.line, revoked: user.line }, /is revoked in gone/);
  refused(byKey(user), { ids: [idOf(user)], revoked: user.line }, /is revoked in gone/);
  refused(certificate, { authorities, revoked: user.line }, /is revoked in gone/);
  refused(certificate, { authorities, revoked: authority.line }, /is revoked in gone/);
  equal(taken(certificate, { authorities, revoked: other.line }).grant.principals, ["pi"]);
});

Deno.test("a key is what its algorithm says", async () => {
  const lines = [user.line, other.line].join("\n"), certificate = await byCertificate();
  for (const algorithm of ["rsa-sha2-256", "rsa-sha2-512"]) {
    equal(taken(byKey(other, { algorithm }), { lines }).demands.algorithm, algorithm);
  }
  refused(byKey(other), { lines }, /by "ssh-rsa" are not taken/);
  const fromBrowsers = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"; // which OpenSSH's server does not take unasked
  refused(byKey(user, { algorithm: fromBrowsers }), { lines }, /by "webauthn-.*" are not taken/);
  refused(byKey(user, { algorithm: "ssh-ed25519" }), { lines }, /not of the algorithm/);
  refused(byKey(user, { algorithm: certificate.algorithm }), { lines }, /not of the algorithm/);
  refused({ ...certificate, algorithm: "ecdsa-sha2-nistp256" }, { lines }, /not of the algorithm/);
  refused({ ...certificate, algorithm: certificateType("ssh-ed25519") }, { lines }, /not of the algorithm/);
  refused(byKey(user, { blob: user.blob.subarray(1) }), { lines }, /cut short/);
});
