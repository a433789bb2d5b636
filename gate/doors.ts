/** Where others come in who speak a protocol: for who tells them. */
import type { Connection } from "./connection.ts";
import type { Entry } from "./entry.ts";

/**
 * The port: the usual one where it is listened on, else the connection's own, else any; undefined: nobody is heard who
 * speaks that. One on loopback is none to who came in elsewhere.
 */
export function doorFor(
  protocol: string,
  usual: number,
  connection: Connection,
  entries: Iterable<Entry>,
): number | undefined {
  const own = connection.entrance.entry, ports = new Set<number>();
  const speaking = [...entries].filter(({ rules }) => rules.protocols.includes(protocol));
  for (const entry of speaking.sort((a, b) => Number(b === own) - Number(a === own))) {
    if (entry.port !== undefined && entry.trusted === own.trusted) ports.add(entry.port);
  }
  return ports.has(usual) ? usual : ports.values().next().value;
}
