/** Who vouches for the certificates of clients whose TLS ended here: a reload may take that away. */
import type { Connection } from "./connection.ts";
import { GateError } from "./errors.ts";
import type { ClientCertificateRule } from "./snapshot.ts";

const BLOCK = /-----BEGIN [^-]*-----[^-]*-----END/g;

/**
 * Why what a client showed, or did not, when TLS around this connection ended is not enough now; undefined: it is. Roots
 * that come beside the old ones take nothing away; where one of them goes, all have to show again who they are.
 */
export function lostVouching(connection: Connection): GateError | undefined {
  for (let one: Connection | undefined = connection; one; one = one.entrance.outer) {
    if (!one.endedBy) continue;
    const { clients: before, rules: { clientCertificates: now }, peer: { clientCertificate } } = one;
    const why = now?.require && clientCertificate && clientCertificate.notAfter <= Date.now()
      ? "its certificate has expired" // a resumed session does not tell of that
      : before?.digest === now?.digest
      ? undefined
      : lostBy(one, before, now);
    if (why) return new GateError("denied", "gate", `Cannot go on: ${why}`);
  }
  return undefined;
}

function lostBy(
  { peer: { clientCertificate, tlsVersion } }: Connection,
  before: ClientCertificateRule | undefined,
  now: ClientCertificateRule | undefined,
): string | undefined {
  const showed = clientCertificate !== undefined || before !== undefined && tlsVersion === undefined;
  if (showed && !hasRoots(now, before)) return "who vouches for its certificate may have been taken away";
  return !clientCertificate && now?.require && !before?.require
    ? "its listener requires a certificate now"
    : undefined;
}

/** Of the last question: all connections of a listener ask the same. */
let asked = "", answer = false;

function hasRoots(
  now: ClientCertificateRule | undefined,
  before: ClientCertificateRule | undefined,
): boolean {
  if (!now || !before) return false;
  const question = `${now.digest} ${before.digest}`;
  if (question !== asked) {
    const there = new Set(now.roots.match(BLOCK));
    answer = before.roots.match(BLOCK)?.every((root) => there.has(root)) ?? false;
    asked = question;
  }
  return answer;
}
