/** `ugate check`: every mistake of a configuration, or what it does. Binds and resolves nothing. */
import { formatTarget } from "../address.ts";
import { CertificateIndex } from "../certificate_index.ts";
import { trustsItsMachine } from "../config/check_listeners.ts";
import type { Configuration, RouteConfiguration } from "../config/configuration.ts";
import type { Credentials } from "../config/credentials.ts";
import { ConfigurationError, loadConfiguration, type Problem } from "../config/load.ts";
import { TlsLayers } from "../config/tls_layers.ts";
import type { Protocols } from "../contracts.ts";
import { visibleJson } from "../visible.ts";

/** Facts on stdout, or mistakes on stderr; warnings there in any case. `json`: all of it on stdout. The exit code. */
export async function check(path: string | undefined, protocols: Protocols, json = false): Promise<number> {
  try {
    const { config, files, warnings, shown, credentials } = await loadConfiguration(path, protocols);
    if (json) return tell({ valid: true, files, warnings, problems: [], configuration: shown });
    for (const warning of warnings) console.error(`warning: ${warning}`);
    console.log([...facts(config, files, protocols), ...logins(credentials)].join("\n"));
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    if (json) return tell({ valid: false, files: [], warnings: [], problems: thrown.problems });
    console.error(thrown.message);
    return 1;
  }
}

interface Verdict {
  readonly valid: boolean;
  readonly files: readonly string[];
  readonly warnings: readonly string[];
  readonly problems: readonly Problem[];
  /** What holds, in the spelling of ugate.yaml: defaults included, secrets as `***`. */
  readonly configuration?: unknown;
}

function tell(verdict: Verdict): number {
  console.log(visibleJson(verdict, 2));
  return verdict.valid ? 0 : 1;
}

/** Where TLS ends, and with what. */
function terminations(
  { routes, listeners, certificates, acme }: Configuration,
  protocols: Protocols,
): string[] {
  const names = certificates.map(({ names, file, notAfter }) => {
    const expires = new Date(notAfter).toISOString().slice(0, 10);
    return `certificate ${file}: ${names.join(", ") || "for addresses alone"}, until ${expires}`;
  });
  const authority = acme && `one that ${new URL(acme.directory).host} issues`;
  const layers = new TlsLayers(Object.values(listeners), certificates, protocols, acme?.names);
  const index = new CertificateIndex(certificates);
  const ends = routes.filter((route) => layers.ends(route)).map((route) => {
    const { host = "*", listener } = route, where = listener === undefined ? "" : ` on ${listener}`;
    const inside = insideOf(route);
    const file = index.of(host)?.file ?? index.find(host === "*" ? undefined : host)?.file;
    const issued = acme?.names.includes(host) ? authority : undefined;
    return `TLS of ${host}${where} ends here, with ${
      issued ?? file ?? "the certificate of each name"
    }: ${inside}`;
  });
  const ordered = acme && acme.names.length > 0
    ? [
      `certificates of ${
        acme.names.join(", ")
      }: ${authority}, when it finds this gate at port 443 or 80 of them`,
    ]
    : [];
  return [...names, ...ordered, ...new Set(ends)]; // routes of one host say the same
}

function insideOf({ http, to }: RouteConfiguration): string {
  if (http) return "each request takes a route of its own";
  return to.map(({ target }) => formatTarget(target)).join(", ") || "what is inside comes in again";
}

/** Who may log in where SSH ends here. */
function logins({ logins: read }: Credentials): string[] {
  if (!read) return [];
  const { hostKey, logins: { keys, authorities, revoked } } = read;
  const lines = { keys, authorities, "files of revoked ones": revoked };
  const counts = Object.entries(lines).map(([what, items]) => `${what}: ${items.length}`).join(", ");
  return [`SSH ends here, as ${hostKey ? hostKey.algorithm : "the node's own key"}; ${counts}`];
}

/** What surprises who expects policy to close what it does not allow. */
const TRUST =
  "it is for this machine only: clients get wherever no rule of policy denies it (a last { deny: {} } does)";

function facts(config: Configuration, files: readonly string[], protocols: Protocols): string[] {
  const lines = [`ok: ${files.length > 0 ? files.join(", ") : "the built-in configuration"}`];
  for (const listener of Object.values(config.listeners)) {
    const { name, addresses, protocols: spoken } = listener;
    lines.push(`listener ${name}: ${addresses.map(formatTarget).join(", ")} (${spoken.join(", ")})`);
    const asked = spoken.some((protocol) => protocols[protocol].naming === "target");
    if (asked && trustsItsMachine(listener)) lines.push(`  ${TRUST}`);
  }
  for (const [page, address] of Object.entries(config.admin)) {
    if (address) lines.push(`admin.${page}: ${formatTarget(address)}`);
  }
  lines.push(...terminations(config, protocols));
  const counts = { routes: config.routes, hosts: Object.keys(config.hosts), "policy rules": config.policy };
  lines.push(Object.entries(counts).map(([what, items]) => `${what}: ${items.length}`).join(", "));
  return lines;
}
