/** How targets are spoken to over TLS, beside the targets. */
import { isUnixHost } from "../address.ts";
import type { RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";

export function checkUpstreams(routes: readonly Located<RouteConfiguration>[], findings: Findings): void {
  for (const { path, value: { to, upstreamTls } } of routes) {
    const secure = to.filter(({ secure }) => secure), at = [...path, "upstreamTls"];
    if (upstreamTls && secure.length === 0) {
      findings.errorAtKey(at, "needs a to of https://: no other target is spoken to in TLS");
    }
    if (upstreamTls?.insecure && upstreamTls.ca !== undefined) {
      findings.error([...at, "insecure"], "excludes ca: whoever answers is believed");
    } else if (upstreamTls?.insecure) {
      findings.warn([...at, "insecure"], "whoever answers for its https:// targets is believed");
    }
    if (upstreamTls?.serverName === undefined && secure.some(({ target }) => isUnixHost(target.host))) {
      findings.error([...path, "to"], "a socket has no name to verify: needs upstreamTls.serverName");
    }
  }
}
