/** What two KEXINITs agree on (RFC 4253 7.1): of each list the client's first name that the server has too. */
import type { Direction, KexInit } from "./kexinit.ts";
import { CIPHERS, type Protection } from "./protection/ciphers.ts";

export interface Negotiated {
  readonly exchange: string;
  readonly hostKey: string;
  /** From client to server, and back. */
  readonly up: Protection;
  readonly down: Protection;
  /** Whether what a side guessed is what holds: both prefer the same exchange and the same host key. */
  readonly rightGuess: boolean;
}

/** What there is nothing in common of. */
export interface Missing {
  readonly missing: "key exchange" | "host key algorithm" | "cipher" | "MAC" | "compression";
  /** That list of a side. */
  of(init: KexInit): readonly string[];
}

/** Chooses among the client's and the server's; `exchanges`: which names are key exchanges and no marks. */
export function negotiate(
  client: KexInit,
  server: KexInit,
  exchanges: readonly string[],
): Negotiated | Missing {
  const exchange = first(client.exchanges.filter((name) => exchanges.includes(name)), server.exchanges);
  if (exchange === undefined) return { missing: "key exchange", of: (init) => init.exchanges };
  const hostKey = first(client.hostKeys, server.hostKeys);
  if (hostKey === undefined) return { missing: "host key algorithm", of: (init) => init.hostKeys };
  const up = protection(client, server, (init) => init.up);
  const down = protection(client, server, (init) => init.down);
  if ("missing" in up) return up;
  if ("missing" in down) return down;
  const rightGuess = client.exchanges[0] === server.exchanges[0] && client.hostKeys[0] === server.hostKeys[0];
  return { exchange, hostKey, up, down, rightGuess };
}

function protection(
  client: KexInit,
  server: KexInit,
  direction: (init: KexInit) => Direction,
): Protection | Missing {
  const mine = direction(client), theirs = direction(server);
  const cipher = first(mine.ciphers, theirs.ciphers);
  if (cipher === undefined) return { missing: "cipher", of: (init) => direction(init).ciphers };
  const mac = CIPHERS[cipher].authenticates ? "" : first(mine.macs, theirs.macs);
  if (mac === undefined) return { missing: "MAC", of: (init) => direction(init).macs };
  const compression = first(mine.compressions, theirs.compressions);
  if (compression !== undefined) return { cipher, mac };
  return { missing: "compression", of: (init) => direction(init).compressions };
}

const first = (wanted: readonly string[], there: readonly string[]): string | undefined =>
  wanted.find((name) => there.includes(name));
