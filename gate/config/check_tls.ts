/** What ends TLS against what there is for it: protocols, certificates, roots. */
import { CertificateIndex } from "../certificate_index.ts";
import type { Protocols } from "../contracts.ts";
import type { CertificateConfiguration, ListenerConfiguration, RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located, Part } from "./read.ts";

interface Parts {
  readonly routes: Part<Located<RouteConfiguration>[]>;
  readonly listeners: Part<Map<string, Located<ListenerConfiguration>>>;
  readonly certificates: readonly CertificateConfiguration[];
  /** Nothing is wrong with any certificate. */
  readonly whole: boolean;
}

export function checkTls(
  { routes, listeners, certificates, whole }: Parts,
  protocols: Protocols,
  findings: Findings,
): void {
  const byName = Object.keys(protocols).filter((name) => protocols[name].naming === "serverName");
  const ending = routes.items.filter(({ value }) => value.tls !== undefined);
  const index = new CertificateIndex(certificates);
  for (const { path, value: { protocol, host = "*" } } of ending) {
    if (protocol !== undefined && Object.hasOwn(protocols, protocol) && !byName.includes(protocol)) {
      findings.error(
        [...path, "tls"],
        `only ${byName.join(", ")} can end here, and this route is for ${protocol}`,
      );
    }
    if (whole && !index.covers(host)) {
      const what = host === "*" ? "there is no certificate" : `no certificate has a name of ${host}`;
      findings.error([...path, "tls"], `Cannot end TLS here: ${what} in certificates`);
    }
  }
  for (const { path, value: { name, protocols: listed, clientCertificates } } of listeners.items.values()) {
    if (!clientCertificates) continue;
    const at = [...path, "clientCertificates"];
    if (!listed.some((protocol) => byName.includes(protocol))) {
      findings.error(at, `needs ${byName.join(" or ")} among the protocols: who else could show one`);
    } else if (routes.whole && !ending.some(({ value: { listener = name } }) => listener === name)) {
      findings.error(at, "no route of this listener ends TLS: nobody would be asked for a certificate");
    }
  }
  if (certificates.length > 0 && ending.length === 0 && routes.whole) {
    findings.warn(["certificates"], "nothing uses them: no route has tls: terminate");
  }
}
