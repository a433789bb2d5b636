/** What ends TLS against what there is for it: protocols, certificates, roots. */
import type { Protocols } from "../contracts.ts";
import type { AcmeWants } from "./acme_wants.ts";
import { checkSameLayer } from "./check_same_layer.ts";
import { checkUpstreams } from "./check_upstreams.ts";
import type { RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Sections } from "./sections.ts";
import { lacking, TlsLayers, type TlsParts } from "./tls_layers.ts";

/** `registered`: what names end in that clients of SSH may register here; absent: none do. */
export function checkTls(
  parts: TlsParts & AcmeWants & Pick<Sections, "acme" | "node"> & { readonly registered?: string },
  protocols: Protocols,
  findings: Findings,
): void {
  const { certificates } = parts, whole = parts.whole && parts.acme.whole;
  const layers = TlsLayers.of(parts, protocols, parts.names);
  for (const route of parts.routes.items) {
    checkEnding(route, layers, whole, protocols, findings);
    if (parts.listeners.whole) warnOfNoWayBack(route, layers, parts, findings);
  }
  if (whole) checkSameLayer(parts.routes.items, layers, findings);
  checkUpstreams(parts.routes.items, findings);
  const ending = parts.routes.items.filter(({ value }) =>
    layers.ends(value) || !whole && layers.mayEnd(value)
  );
  checkClients(parts, ending, layers.byName, findings);
  const { registered } = parts, comes = registered !== undefined && layers.endsForRequests;
  const isTheirs = (name: string) => name.endsWith(`.${registered}`);
  const mayServe = comes && certificates.some(({ names }) => names.some(isTheirs));
  if (certificates.length > 0 && ending.length === 0 && parts.routes.whole && !mayServe) {
    findings.warn(["certificates"], "nothing uses them: TLS ends for no route");
  }
  if (parts.acme.value) checkAcme(parts, comes && parts.node.domain !== "", findings);
}

/** `later`: names that are registered get certificates, too. */
function checkAcme(
  { names, challenges, routes, listeners, whole }: TlsParts & AcmeWants,
  later: boolean,
  findings: Findings,
): void {
  if (names.length > 0 && challenges.length === 0 && listeners.whole) {
    findings.error(["acme"], "no listener has tls or http among its protocols, by which an authority asks");
  }
  if (names.length === 0 && !later && routes.whole && whole) {
    findings.warn(["acme"], "it has nothing to do: no route ends TLS for a name that no file is for");
  }
}

function checkEnding(
  { path, value }: Located<RouteConfiguration>,
  { byName, index }: TlsLayers,
  whole: boolean,
  protocols: Protocols,
  findings: Findings,
): void {
  const { protocol, host = "*", tls } = value;
  if (tls === undefined) return;
  if (protocol !== undefined && Object.hasOwn(protocols, protocol) && !byName.includes(protocol)) {
    findings.error(
      [...path, "tls"],
      `only ${byName.join(", ")} can end here, and this route is for ${protocol}`,
    );
  }
  if (whole && !index.covers(host)) {
    findings.error(
      [...path, "tls"],
      `Cannot end TLS here: ${lacking(host)} in certificates; ${remedy(host)}`,
    );
  }
}

/** Who asks in clear is sent to https, where nobody may listen; unless TLS ends at a proxy in front, which says so. */
function warnOfNoWayBack(
  { path, value }: Located<RouteConfiguration>,
  layers: TlsLayers,
  { listeners }: TlsParts,
  findings: Findings,
): void {
  const { tls, http, listener } = value;
  if (!tls || !http || layers.listenersOf(value).length > 0) return;
  const proxied = Array.from(listeners.items.values()).some(({ value: { name, trustedProxies } }) =>
    trustedProxies && name === (listener ?? name)
  );
  if (proxied) return;
  const nobody = listener === undefined ? "no listener has tls and http" : `${listener} has not tls and http`;
  findings.warn(
    [...path, "tls"],
    `requests in clear are sent to https, and ${nobody}: who comes back finds nobody`,
  );
}

/** Where a certificate comes from. */
const remedy = (host: string): string =>
  host.includes("*")
    ? "a wildcard takes a file, or acme.names of the names below it"
    : `acme orders one, and ugate dev-cert ${host} makes one for trying out`;

/** Who asks for clients' certificates has to end TLS. */
function checkClients(
  { listeners, routes }: TlsParts,
  ending: readonly Located<RouteConfiguration>[],
  byName: readonly string[],
  findings: Findings,
): void {
  for (const { path, value: { name, protocols: listed, clientCertificates } } of listeners.items.values()) {
    if (!clientCertificates) continue;
    const at = [...path, "clientCertificates"];
    if (!listed.some((protocol) => byName.includes(protocol))) {
      findings.error(at, `needs ${byName.join(" or ")} among the protocols: who else could show one`);
    } else if (routes.whole && !ending.some(({ value: { listener = name } }) => listener === name)) {
      findings.error(at, "no route of this listener ends TLS: nobody would be asked for a certificate");
    }
  }
}
