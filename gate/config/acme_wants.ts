/** Which names an authority is asked to certify: the operator's own words, and never what a client sent. */
import type { Challenge } from "../acme/messages.ts";
import { CertificateIndex } from "../certificate_index.ts";
import type { Naming, Protocols } from "../contracts.ts";
import { Places } from "./check_same_layer.ts";
import type { RouteConfiguration } from "./configuration.ts";
import type { Located } from "./read.ts";
import type { Sections } from "./sections.ts";
import { TlsLayers, type TlsParts } from "./tls_layers.ts";

export interface AcmeWants {
  /** `acme.names` and the exact hosts of routes that end TLS, without those that a file has a certificate for. */
  readonly names: readonly string[];
  /** How an authority can ask, the likelier first: it comes to port 443, or to port 80. */
  readonly challenges: readonly Challenge[];
}

/** What is asked by the ports of RFC 8737 and RFC 8555 8.3. */
const ASKED: readonly { readonly challenge: Challenge; readonly naming: Naming; readonly port: number }[] = [
  { challenge: "tls-alpn-01", naming: "serverName", port: 443 },
  { challenge: "http-01", naming: "host", port: 80 },
];

export function acmeWants(
  { acme: { value: acme }, ...parts }: TlsParts & Pick<Sections, "acme">,
  protocols: Protocols,
): AcmeWants {
  if (!acme) return { names: [], challenges: [] };
  const hosts = endingHosts(parts.routes.items, TlsLayers.of(parts, protocols));
  const files = new CertificateIndex(parts.certificates);
  const names = Array.from(new Set([...acme.names ?? [], ...hosts])).filter((name) => !files.find(name));
  return { names: names.sort(), challenges: challengesOf(parts, protocols) };
}

function challengesOf({ listeners }: TlsParts, protocols: Protocols): Challenge[] {
  const ways = ASKED.map(({ challenge, naming, port }) => {
    const addresses = Array.from(listeners.items.values(), ({ value }) => value)
      .filter((listener) => listener.protocols.some((name) => protocols[name]?.naming === naming))
      .flatMap(({ addresses }) => addresses);
    return { challenge, heard: addresses.length > 0, known: addresses.some((one) => one.port === port) };
  });
  return ways.filter(({ heard }) => heard).sort((a, b) => Number(b.known) - Number(a.known))
    .map(({ challenge }) => challenge);
}

/** Of routes that say so themselves, and of those that handle requests where no route passes this TLS on. */
function endingHosts(routes: readonly Located<RouteConfiguration>[], layers: TlsLayers): string[] {
  const before = new Places(), passed = new Places();
  for (const { value } of routes) addPassed(value, layers, passed);
  return routes.flatMap(({ value }) => {
    const { host = "*", tls } = value, listeners = layers.listenersOf(value);
    addPassed(value, layers, before);
    if (host.startsWith("*") || !layers.mayEnd(value)) return [];
    const ends = tls !== undefined || listeners.some((listener) => {
      const earlier = before.firstAbove("passed", [listener], host);
      return earlier === undefined && !passed.has("passed", listener, host);
    });
    return ends ? [host] : [];
  });
}

function addPassed(route: RouteConfiguration, layers: TlsLayers, places: Places): void {
  if (route.http || route.tls) return;
  places.add("passed", layers.listenersOf(route), route.host ?? "*", route.place);
}
