/** `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which keys a host has, who certifies hosts, what is revoked. */
import { createHmac } from "node:crypto";
import type { LineFault } from "../../../gate/identity/logins.ts";
import { eachLine, keyAt, skipBlanks, wordAt } from "./lines.ts";
import { MistakeAt } from "./option_text.ts";
import { matchesPatterns } from "./pattern.ts";

/** One line, as plain data. */
export interface KnownHost {
  /** `file:line`, for the log. */
  readonly place: string;
  readonly marker?: "cert-authority" | "revoked";
  /** Patterns of names, in lower case: `host`, `[host]:port`; `!` in front of those that are not meant. */
  readonly patterns: readonly string[];
  /** In their place: HMAC-SHA-1 of the name under this salt, both in base64. */
  readonly hashed?: { readonly salt: string; readonly hash: string };
  /** As keyText has it. */
  readonly key: string;
}

export interface KnownHostsFile {
  readonly hosts: readonly KnownHost[];
  readonly faults: readonly LineFault[];
}

/** What is known of one host: keys as keyText has them. */
export interface HostTrust {
  readonly keys: readonly string[];
  readonly authorities: readonly string[];
  /** These are worth nothing, whoever else says otherwise. */
  readonly revoked: readonly string[];
}

const MARKERS = ["cert-authority", "revoked"] as const;
const HASHED = /^\|1\|([A-Za-z0-9+/]{27}=)\|([A-Za-z0-9+/]{27}=)$/;
const SSH_PORT = 22;

/** `file` is for places alone. */
export function readKnownHosts(file: string, text: string): KnownHostsFile {
  const hosts: KnownHost[] = [];
  const faults = eachLine(file, text, (line, place) => hosts.push({ place, ...knownHost(line) }));
  return { hosts, faults };
}

/** Throws MistakeAt. */
function knownHost(line: string): Omit<KnownHost, "place"> {
  let at = skipBlanks(line, 0);
  const word = wordAt(line, at), marker = MARKERS.find((one) => word === `@${one}`);
  if (word.startsWith("@")) {
    if (!marker) throw new MistakeAt(at, `unknown marker ${JSON.stringify(word.slice(0, 64))}`);
    at = skipBlanks(line, at + word.length);
  }
  const names = wordAt(line, at), { key } = keyAt(line, skipBlanks(line, at + names.length));
  if (!names.startsWith("|")) return { marker, patterns: names.toLowerCase().split(","), key };
  const [, salt, hash] = HASHED.exec(names) ?? [];
  if (salt === undefined) throw new MistakeAt(at, "a hashed name in a form that is not known");
  return { marker, patterns: [], hashed: { salt, hash }, key };
}

/**
 * What these lines say of a host: a name or an IP literal as it is dialed. A port beside 22 is part of the name, but for
 * authorities, who are believed for the host's other ports as well. A hashed name costs some 5 us, so this is for the
 * main thread where there may be thousands.
 */
export function trustIn(hosts: readonly KnownHost[], host: string, port: number): HostTrust {
  const bare = host.toLowerCase(), name = port === SSH_PORT ? bare : `[${bare}]:${port}`;
  const isMeant = (line: KnownHost) => meets(line, name);
  const keysOf = (marker: KnownHost["marker"], meant: (line: KnownHost) => boolean) =>
    Array.from(new Set(hosts.filter((line) => line.marker === marker && meant(line)).map(({ key }) => key)));
  return {
    keys: keysOf(undefined, isMeant),
    authorities: keysOf("cert-authority", (line) => isMeant(line) || meets(line, bare)),
    revoked: keysOf("revoked", (line) => isMeant(line) || meets(line, bare)),
  };
}

function meets({ patterns, hashed }: KnownHost, name: string): boolean {
  if (!hashed) return matchesPatterns(patterns, name);
  const salt = Uint8Array.fromBase64(hashed.salt);
  return createHmac("sha1", salt).update(name).digest("base64") === hashed.hash;
}
