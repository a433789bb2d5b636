/**
 * Who somebody is who shows a key or a certificate, and what that lets him do: decided from what the files say, before
 * his signature is asked for. Pure: the same for the question whether a key would do, and for the login.
 */
import { type Identity, keyName, principalName, roleName, sshName } from "../../../gate/identity/identity.ts";
import type { AuthorizedKey, KeyOptions, Permitted } from "../../../gate/identity/logins.ts";
import { publicKeyAlgorithm } from "./algorithms.ts";
import type { AuthorizedKeys } from "./authorized_keys.ts";
import {
  type Certificate,
  describeCertificate,
  isCertificate,
  readCertificate,
  whyNot,
} from "./certificate.ts";
import { Forgery, Refusal } from "./fields.ts";
import { keyText } from "./lines.ts";
import { fingerprint, keyId, type PublicKey, readPublicKey } from "./public_key.ts";
import type { Revocations } from "./revoked.ts";
import type { Demands, Verify } from "./signature.ts";
import { isMeantSource } from "./sources.ts";

/** Who asks, and with what. */
export interface Login {
  readonly user: string;
  /** As the request names it: `rsa-sha2-512`, `ssh-ed25519-cert-v01@openssh.com`. */
  readonly algorithm: string;
  readonly blob: Uint8Array;
  /** IP literal; absent: a unix socket. */
  readonly source?: string;
  /** ms since the epoch. */
  readonly now: number;
}

/** Whom this gate believes. */
export interface Trusted {
  readonly keys: Pick<AuthorizedKeys, "of">;
  /** Of `ssh.userAuthorities`: as keyText has them. */
  readonly authorities: ReadonlySet<string>;
  readonly revoked: Pick<Revocations, "ofKey" | "ofCertificate">;
  /** Whether an allow rule names this ID: then its key is believed without standing in any file. */
  readonly isNamed: (id: string) => boolean;
  /** See Demands. */
  readonly verify?: Verify;
}

/** What somebody may who has logged in: policy may narrow it further, and grants the rest. */
export interface Grant {
  readonly identity: Identity;
  /** By what he came in: `file:line`, the description of a certificate, or `policy`. For the log. */
  readonly by: string;
  /** When it ends, ms since the epoch; Infinity: never. */
  readonly until: number;
  readonly forwarding: boolean;
  readonly pty: boolean;
  readonly command?: string;
  readonly role?: string;
  readonly permitOpen?: readonly Permitted[];
  readonly permitListen?: readonly Permitted[];
  /** Those of his certificate that are believed: names that he may be reached by. */
  readonly principals: readonly string[];
}

export interface Admitted {
  /** Whose signature has to follow, and how it has to be. */
  readonly key: PublicKey;
  readonly demands: Demands;
  readonly grant: Grant;
}

/** What may be, or why not: one sentence for the log, none for the client. Throws GateError without libcrypto. */
export function admit(login: Login, trusted: Trusted): Admitted | Refusal {
  const asked = publicKeyAlgorithm(login.algorithm);
  if (!asked) return new Refusal(`keys by ${JSON.stringify(login.algorithm)} are not taken`);
  if (asked.certificate !== isCertificate(login.blob)) {
    return new Refusal("the key is not of the algorithm it was told");
  }
  const shown = asked.certificate ? readCertificate(login.blob) : readPublicKey(login.blob);
  if (shown instanceof Refusal) return shown;
  const { verify } = trusted;
  const { type, name: algorithm } = asked.algorithm, key = "key" in shown ? shown.key : shown;
  if (key.type !== type) return new Refusal("the key is not of the algorithm it was told");
  const admitted = "key" in shown ? byCertificate(shown, login, trusted) : byKey(shown, login, trusted);
  if (admitted instanceof Refusal) return admitted;
  return { key, demands: { ...admitted.demands, algorithm, ...verify && { verify } }, grant: admitted.grant };
}

type Decided = Pick<Admitted, "demands" | "grant"> | Refusal;

/** What no file says of a node that policy names. */
const AS_NAMED = {
  forwarding: true,
  pty: true,
  touch: true,
  verified: false,
  authority: false,
} satisfies KeyOptions;

function byKey(key: PublicKey, login: Login, { keys, revoked, isNamed }: Trusted): Decided {
  const print = fingerprint(key.blob), by = revoked.ofKey(key.blob), id = keyId(key);
  if (by !== undefined) return new Refusal(`the key ${print} is revoked in ${by}`);
  const lines = keys.of(key.blob, false), line = firstThatHolds(lines, `the key ${print}`, login);
  if (line instanceof Refusal && (lines.length > 0 || !isNamed(id))) return line;
  const { options, place } = line instanceof Refusal ? { options: AS_NAMED, place: "policy" } : line;
  const names = [keyName(id), sshName(print)];
  return granted(options, names, "ssh key", { by: place, principals: [] });
}

function byCertificate(
  certificate: Certificate,
  login: Login,
  { keys, authorities, revoked, verify }: Trusted,
): Decided {
  const what = `the certificate ${describeCertificate(certificate)}`,
    { authority, constraints } = certificate;
  const by = revoked.ofCertificate(certificate);
  if (by !== undefined) return new Refusal(`${what} is revoked in ${by}`);
  const found = firstThatHolds(
    keys.of(authority.blob, true),
    `the authority of ${what}`,
    login,
    certificate.principals,
  );
  if (found instanceof Refusal && !authorities.has(keyText(authority.blob))) return found;
  const line = found instanceof Refusal ? undefined : found;
  const listed = line?.options.principals;
  const principals = listed
    ? certificate.principals.filter((one) => listed.includes(one))
    : certificate.principals;
  const why = whyNot(certificate, {
    kind: "user",
    now: login.now,
    principal: listed ? undefined : login.user,
    verify,
  });
  if (why) return new (why instanceof Forgery ? Forgery : Refusal)(`${what}: ${why.why}`);
  if (constraints.sourceAddress && !isMeantSource(constraints.sourceAddress, login.source)) {
    return new Refusal(`${what} is not for a client from ${login.source ?? "a unix socket"}`);
  }
  const options = merged(certificate, line?.options);
  if (options instanceof Refusal) return options;
  return granted(options, namesOf(certificate, principals, login.user), "ssh certificate", {
    by: line ? `${line.place}, ${describeCertificate(certificate)}` : describeCertificate(certificate),
    principals,
  });
}

/** The login name's first: that is what the log calls him. */
function namesOf({ key, authority }: Certificate, principals: readonly string[], user: string): string[] {
  const first = principals.filter((name) => name === user),
    others = principals.filter((name) => name !== user);
  const print = fingerprint(authority.blob);
  return [
    ...[...first, ...others].map((name) => principalName(name, print)),
    keyName(keyId(key)),
    sshName(fingerprint(key.blob)),
  ];
}

/** What both allow; what either demands. */
function merged(certificate: Certificate, line: KeyOptions | undefined): KeyOptions | Refusal {
  const { extensions, constraints, validBefore } = certificate,
    { forceCommand, verifyRequired } = constraints;
  const own = {
    forwarding: extensions.has("permit-port-forwarding"),
    pty: extensions.has("permit-pty"),
    touch: !extensions.has("no-touch-required"),
    verified: verifyRequired,
  };
  if (line?.command !== undefined && forceCommand !== undefined && line.command !== forceCommand) {
    return new Refusal("the certificate and its authority's line give two commands");
  }
  return {
    ...line,
    forwarding: own.forwarding && (line?.forwarding ?? true),
    pty: own.pty && (line?.pty ?? true),
    touch: own.touch || (line?.touch ?? false),
    verified: own.verified || (line?.verified ?? false),
    command: forceCommand ?? line?.command,
    until: Math.min(validBefore, line?.until ?? Infinity),
    authority: true,
  };
}

function granted(
  { touch, verified, role, until = Infinity, forwarding, pty, command, permitOpen, permitListen }: KeyOptions,
  names: readonly string[],
  proof: Identity["proof"],
  about: Pick<Grant, "by" | "principals">,
): Pick<Admitted, "demands" | "grant"> {
  const all = role === undefined ? names : [...names, roleName(role)];
  const identity: Identity = { name: names[0], names: all, proof };
  const grant = { ...about, identity, until, forwarding, pty, command, role, permitOpen, permitListen };
  return { demands: { touch, verified }, grant };
}

/** As sshd has it: a line that does not hold now is passed over for the next one of that key. */
function firstThatHolds(
  lines: readonly AuthorizedKey[],
  what: string,
  login: Login,
  principals: readonly string[] = [],
): AuthorizedKey | Refusal {
  let why = `nobody believes ${what}`;
  for (const line of lines) {
    const fault = whyNotNow(line.options, login, principals);
    if (fault === undefined) return line;
    why = `${line.place} does not hold for ${what}: ${fault}`;
  }
  return new Refusal(why);
}

function whyNotNow(
  { from, until = Infinity, principals: listed }: KeyOptions,
  { user, source, now }: Login,
  principals: readonly string[],
): string | undefined {
  if (now >= until) return "it is not valid any more";
  if (from && !isMeantSource(from, source)) return `it is not for a client from ${source ?? "a unix socket"}`;
  if (!listed) return undefined; // a certificate itself says whom it is for
  if (!listed.includes(user)) return `it is not for ${JSON.stringify(user)}`;
  return principals.some((name) => listed.includes(name)) ? undefined : "it is for none of its principals";
}
