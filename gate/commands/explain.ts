/** `ugate explain`: what a connection would get, and why. */
import { formatTarget, type Ip, parseIp, sameIp } from "../address.ts";
import { compileSnapshot } from "../config/compile.ts";
import type { Configuration } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { absolute } from "../config/source.ts";
import type { Destination } from "../contracts.ts";
import { NotConnected } from "../errors.ts";
import { explainCommand } from "../explain.ts";
import type { ExplainArgs } from "../explain_client.ts";
import { UNKNOWN_END } from "../explanation.ts";
import type { LiveNames } from "../mesh/live_names.ts";
import { LiveRoutes } from "../mesh/live_routes.ts";
import type { CertificateRule } from "../snapshot.ts";
import { protocols, proxyProtocol } from "../../protocols/mod.ts";
import { serverNameTarget } from "../../protocols/tls/server_name.ts";
import { type ConnectedNames, connectedNames } from "./connected_names.ts";
import { discoveryOf } from "./discovery.ts";
import { servedWords } from "./served_words.ts";

export interface ExplainOptions extends Omit<ExplainArgs, "target"> {
  readonly config?: string;
  readonly json?: boolean;
}

/** ms after which somebody may wonder. */
const SLOW = 1000;

function tellSlow(): void {
  if (Deno.stderr.isTerminal()) console.error("waiting for who knows where names live ...");
}

/** Prints the explanation as text or JSON, wrong usage on stderr; the exit code. Throws ConfigurationError. */
export async function explain(
  target: string | undefined,
  { config: path, json: asJson, ...client }: ExplainOptions,
): Promise<number> {
  const { config, credentials, files, warnings } = await loadConfiguration(path, protocols);
  for (const warning of warnings) console.error(`warning: ${warning}`);
  const judged = `judged by ${files.map(absolute).join(", ") || "the built-in configuration"}`;
  const connected = await connectedNames(config, credentials);
  using discovery = discoveryOf(config, connected.mesh);
  const { signal } = new AbortController(); // each source of discovery has a deadline of its own
  const slow = setTimeout(tellSlow, SLOW);
  const snapshot = compileSnapshot(config);
  const { text, json, exit } = await explainCommand(
    { ...snapshot, certificates: [...snapshot.certificates, ...expected(config, connected.live)] },
    { target, ...client },
    {
      protocols,
      preface: proxyProtocol,
      serverNameTarget,
      resolve: async (target) => whereConnected(await discovery.resolve(target, signal), connected),
      live: new LiveRoutes(connected.live),
      served: servedWords(config, credentials, protocols),
      isOwnIp: await ownIpTest(),
    },
  ).finally(() => clearTimeout(slow));
  if (exit === 2) console.error(text);
  else if (asJson) {
    console.error(judged); // which is no part of the data
    console.log(JSON.stringify(json, null, 2));
  } else console.log(`${judged}\n${text.trimEnd()}`);
  return exit;
}

/** Throws NotConnected where nobody is connected under its name. */
function whereConnected(
  found: Destination | undefined,
  { live, unknown }: ConnectedNames,
): Destination | undefined {
  const endpoint = found?.endpoints.find(({ connected }) => connected);
  if (!endpoint || live.find(endpoint.address)) return found;
  const state = unknown === undefined
    ? "it is not connected"
    : `it is a name of the mesh, and nobody knows whether it is connected: ${unknown}`;
  const what = formatTarget(endpoint.address);
  throw new NotConnected("unreachable", "upstream", `Cannot connect to ${what}: ${state}`);
}

/** What an authority issues to the running gate: also for names that are registered there, and for port 80 alone. */
function expected({ acme, node: { domain } }: Configuration, live: LiveNames): CertificateRule[] {
  if (!acme) return [];
  const registered = domain === ""
    ? []
    : live.rows.map(({ names: [name] }) => name).filter((host) =>
      host.endsWith(`.${domain}`) && live.find({ host, port: 80 }) && !live.find({ host, port: 443 })
    );
  return [...new Set([...acme.names, ...registered])].map((name) => (
    { place: "acme", names: [name], notAfter: UNKNOWN_END, digest: "", chain: "", key: "" }
  ));
}

/** As the engine finds it out, where there is one; elsewhere by the addresses of the interfaces. */
async function ownIpTest(): Promise<(ip: Ip) => boolean> {
  if (Deno.build.os === "linux") return (await import("../engine/own_ip.ts")).isOwnIp;
  const own = Deno.networkInterfaces().map(({ address }) => parseIp(address)).filter((ip) =>
    ip !== undefined
  );
  return (ip) => own.some((one) => sameIp(one, ip));
}
