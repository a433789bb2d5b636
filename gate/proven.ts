/** What a client proved of itself by the `auth` of a route, for the message under way or the tunnel that it became. */
import type { Connection } from "./connection.ts";
import type { AuthRule, Proven } from "./requests.ts";
import type { Decider } from "./decide.ts";
import { GateError } from "./errors.ts";

/**
 * Why what was proven is worth nothing now; undefined: it is what it was. Routes that ask for more cut nobody who came
 * before, nor do routes that are gone, as long as one still knows who it is.
 */
export function lostProof(connection: Connection, { router }: Decider): GateError | undefined {
  const { proven, routed, peer } = connection;
  if (!proven || !routed) return undefined;
  const alike = router.alike(routed), routes = alike.length > 0 ? alike : router.routes;
  const known = routes.some(({ http }) => {
    return http?.auth ? fits(http.auth, proven, peer.clientCertificate !== undefined) : alike.length > 0;
  });
  return known ? undefined : lost("what it proved itself with was taken away");
}

/** Its time is over. */
export const expired = (): GateError => lost("the validity of what it proved itself with has ended");

/** When a tunnel or a relay ends whatever happens, ms since the epoch; Infinity: never. */
export function endOfProof({ proven, routed, peer: { clientCertificate }, rules }: Connection): number {
  const needed = routed?.http?.auth?.certificate || rules.clientCertificates?.require;
  const end = needed && clientCertificate ? clientCertificate.notAfter : Infinity;
  return Math.min(proven?.expires ?? Infinity, end);
}

function fits(
  { basic, jwt, certificate }: AuthRule,
  { user, digest, token }: Proven,
  showed: boolean,
): boolean {
  if (certificate && !showed) return false;
  if (jwt && JSON.stringify(jwt) !== JSON.stringify(token)) return false;
  if (!basic) return true;
  return user !== undefined && digest !== undefined && Object.hasOwn(basic.digests, user) &&
    basic.digests[user] === digest;
}

const lost = (why: string): GateError => new GateError("denied", "gate", `Cannot go on: ${why}`);
