/** Who may make requests, against what there is to prove it: issuers, client certificates, proxies that are believed. */
import type { Protocols } from "../contracts.ts";
import { isFieldText } from "../field_text.ts";
import { isLoopbackHost } from "./check_listeners.ts";
import type { AuthConfiguration, ListenerConfiguration } from "./configuration.ts";
import { protocolsNaming } from "./naming.ts";
import { type Findings, listed } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Sections } from "./sections.ts";
import { suggestion } from "./suggest.ts";
import type { Path } from "./tree.ts";

type Parts = Pick<Sections, "routes" | "listeners" | "issuers">;

export function checkAuth(parts: Parts, protocols: Protocols, findings: Findings): void {
  checkIssuers(parts, findings);
  for (const { path, value } of parts.routes.items) {
    const auth = value.http?.auth, at = [...path, "auth"];
    if (!auth) continue;
    for (const name of Object.keys(auth.basic ?? {})) {
      if (isFieldText(name)) continue;
      const why = "expected a name without space around it: it is told upstream";
      findings.errorAtKey([...at, "basic", name], why);
    }
    const from = listenersOf(value.listener, parts, protocols);
    warnOfProxies(from, at, protocols, findings);
    if (auth.jwt) checkToken(auth.jwt, [...at, "jwt"], parts, findings);
    if (auth.certificate) checkCertificate(from, [...at, "certificate"], findings);
    else if (!auth.basic && !auth.jwt) findings.expected([...at, "certificate"], "true");
  }
  checkTrustedProxies(parts, protocols, findings);
}

function checkTrustedProxies({ listeners }: Parts, protocols: Protocols, findings: Findings): void {
  const handling = protocolsNaming("host", protocols).join(", ");
  for (const { path, value: { protocols: names, trustedProxies } } of listeners.items.values()) {
    if (!trustedProxies || names.some((name) => handles(name, protocols))) continue;
    findings.error(
      [...path, "trustedProxies"],
      `needs ${handling} among the protocols: others have no such headers`,
    );
  }
}

const handles = (name: string, protocols: Protocols): boolean =>
  Object.hasOwn(protocols, name) && protocols[name].naming === "host";

function checkIssuers({ issuers }: Parts, findings: Findings): void {
  const places = new Map<string, string>();
  for (const { path, value: { issuer, jwks } } of issuers.items) {
    const there = places.get(issuer);
    if (there) findings.error([...path, "issuer"], `the same as of ${there}`);
    else places.set(issuer, findings.locate(path));
    const url = "url" in jwks ? new URL(jwks.url) : undefined;
    if (url?.protocol !== "http:" || url.hostname === "localhost" || isLoopbackHost(bare(url.hostname))) {
      continue;
    }
    findings.warn([...path, "jwks"], "keys come in clear: who is on the way to them can sign tokens");
  }
}

const bare = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

function checkToken(
  { issuer, audiences }: NonNullable<AuthConfiguration["jwt"]>,
  at: Path,
  { issuers }: Parts,
  findings: Findings,
): void {
  const known = issuers.items.map(({ value }) => value), found = known.find((one) => one.issuer === issuer);
  if (!found) {
    const names = known.map((one) => one.issuer);
    if (issuers.whole) {
      findings.error([...at, "issuer"], `issuers has no such issuer${suggestion(issuer, names)}`);
    }
  } else if (!audiences && !found.audiences) {
    findings.error(
      at,
      "needs audiences, here or of its issuer: a token for another service is no right here",
    );
  }
}

/** Those whose requests the route takes. */
const listenersOf = (
  listener: string | undefined,
  { listeners }: Parts,
  protocols: Protocols,
): ListenerConfiguration[] =>
  Array.from(listeners.items.values(), ({ value }: Located<ListenerConfiguration>) => value)
    .filter(({ name, protocols: names }) =>
      listener === undefined ? names.some((one) => handles(one, protocols)) : name === listener
    );

/** Requests for other servers take no route: whoever policy lets to the backend there is asked for nothing. */
function warnOfProxies(
  from: readonly ListenerConfiguration[],
  at: Path,
  protocols: Protocols,
  findings: Findings,
): void {
  const proxies = from.filter(({ protocols: names }) =>
    names.includes("connect") && names.some((one) => handles(one, protocols))
  ).map(({ name }) => name);
  if (proxies.length === 0) return;
  const why = "as a proxy it sends requests where policy allows it, and asks nobody for this";
  findings.warn(at, `${listed(proxies)} has connect beside http: ${why}`);
}

/** Every listener that the route takes requests of has to ask for one. */
function checkCertificate(
  from: readonly ListenerConfiguration[],
  at: Path,
  findings: Findings,
): void {
  const silent = from.filter(({ clientCertificates }) => !clientCertificates).map(({ name }) => name);
  if (silent.length === 0) return;
  const asking = from.find(({ clientCertificates }) => clientCertificates)?.name;
  const narrower = asking === undefined ? "" : `, or listener: ${asking} in the route`;
  findings.error(
    at,
    `nobody is asked for one by ${listed(silent)}: needs clientCertificates there${narrower}`,
  );
}
