/** What `ugate run` prints when it serves: what listens where, and a line to try. */
import { isUnixHost } from "../address.ts";
import type { Configuration, ListenerConfiguration } from "../config/configuration.ts";
import { VERSION } from "../version.ts";

export interface BannerFacts {
  readonly listening: readonly { readonly listener: string; readonly address: string }[];
  readonly config: Configuration;
  /** Where the admin page answers, and where the metrics do: those of the two that the configuration has. */
  readonly admin: readonly string[];
  /** The files of the configuration; none: the built-in one. */
  readonly files: readonly string[];
}

/** Several lines; the last one is `ready`. */
export function banner({ listening, config, admin, files }: BannerFacts): string {
  const lines = [`ugate ${VERSION}, ${files.length > 0 ? files.join(", ") : "built-in configuration"}`];
  const { address: page, metrics } = config.admin;
  const pages = [...page ? ["admin"] : [], ...metrics ? ["metrics"] : []];
  const places = [
    ...listening.map(({ listener, address }) => [
      listener,
      `${address}  ${config.listeners[listener].protocols.join(", ")}`,
    ]),
    ...admin.map((address, i) => [pages[i], address]),
  ];
  const width = Math.max(...places.map(([name]) => name.length));
  for (const [name, place] of places) lines.push(`  ${name.padEnd(width)}  ${place}`);
  const line = tryLine(listening, config);
  if (line) lines.push(`try: ${line}`);
  return [...lines, "ready"].join("\n");
}

function tryLine(listening: BannerFacts["listening"], config: Configuration): string | undefined {
  const speaks = ({ protocols, users }: ListenerConfiguration, name: string) =>
    protocols.includes(name) && !users;
  for (const { listener, address } of listening) {
    if (isUnixHost(address)) continue;
    if (speaks(config.listeners[listener], "socks")) {
      return `curl -x socks5h://${address} https://example.com/`;
    }
    if (speaks(config.listeners[listener], "connect")) {
      return `curl -p -x http://${address} https://example.com/`;
    }
  }
  return undefined;
}
