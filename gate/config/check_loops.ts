/** Ways that certainly lead back to where they began: what is passed on as it came would take them for ever. */
import {
  formatIp,
  type Ip,
  isLoopback,
  isUnixHost,
  isV4,
  judgedIp,
  parseAnyIp,
  type Target,
} from "../address.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import { nodeAt, type Path } from "./tree.ts";

/** Who listens where, as far as addresses tell it: names, and which addresses the machine has, are not looked up. */
export class OwnListeners {
  readonly #names = new Map<string, string>();

  constructor(listeners: Iterable<ListenerConfiguration>) {
    for (const { name, addresses } of listeners) {
      for (const address of addresses) {
        for (const key of keysOf(address)) if (!this.#names.has(key)) this.#names.set(key, name);
      }
    }
  }

  /** The name of the listener that the target certainly leads to. */
  at({ host, port }: Target): string | undefined {
    if (isUnixHost(host)) return this.#names.get(host);
    const ip = parseAnyIp(host);
    const judged = ip && judgedIp(ip);
    if (judged === undefined) return undefined;
    const wide = isLoopback(judged) ? this.#names.get(wideKey(judged, port)) : undefined;
    return this.#names.get(keyOf(judged, port)) ?? wide;
  }
}

/** Reports a target that leads to the listener `name` itself; `path` is where it stands, alone or in a list. */
export function reportLoop(name: string, path: Path, i: number, findings: Findings): void {
  const item = findings.item(path, i);
  const at = nodeAt(findings.root, item)?.kind === "map" ? [...item, "to"] : item;
  findings.expected(at, `a target that is not listener ${name} itself, where this way begins again`);
}

function keysOf({ host, port }: Target): string[] {
  if (isUnixHost(host)) return [host];
  if (port === 0) return [];
  if (host === "" || host === "::") return [`v4 ${port}`, `v6 ${port}`];
  if (host === "0.0.0.0") return [`v4 ${port}`];
  const ip = parseAnyIp(host);
  return ip === undefined ? [] : [keyOf(judgedIp(ip), port)];
}

function keyOf(ip: Ip, port: number): string {
  return `${formatIp(ip)} ${port}`;
}

/** Of every address of its family. */
function wideKey(ip: Ip, port: number): string {
  return `${isV4(ip) ? "v4" : "v6"} ${port}`;
}
