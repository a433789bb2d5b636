/**
 * Tells from the first bytes which of several protocols a client speaks. "Yes" wins when all others said no, or when
 * the time is over: so the order of a list never decides.
 */
import type { Phase, Protocol, Protocols } from "./contracts.ts";
import { GateError } from "./errors.ts";

/** A protocol by its registry name, or why there is none. */
export type Sniffed = { readonly protocol: string } | { readonly unknown: Unknown };
export type Unknown = "silent" | "partial" | "unknown" | "preface";

type Listed = { readonly found: Sniffed; readonly protocol: Protocol };

/**
 * A parser for `Stream.look`. `preface` is what only a trusted source may begin with (PROXY): where it is claimed here
 * the source is not trusted, and its bytes go nowhere.
 */
export function sniffer(
  names: readonly string[],
  protocols: Protocols,
  preface: Protocol | undefined,
): (head: Uint8Array, phase: Phase) => Sniffed | number {
  const listed: Listed[] = names.map((name) => ({ found: { protocol: name }, protocol: protocols[name] }));
  if (preface?.sniff) listed.push({ found: { unknown: "preface" }, protocol: preface });
  return (head, phase) => tellApart(listed, head, phase);
}

function tellApart(listed: readonly Listed[], head: Uint8Array, phase: Phase): Sniffed | number {
  if (head.length === 0) return phase === "open" ? 1 : { unknown: "silent" };
  let claimed: Sniffed | undefined, need = Infinity;
  for (const { found, protocol } of listed) {
    const verdict = protocol.sniff?.(head) ?? false;
    if (verdict === true) claimed = found;
    else if (typeof verdict === "number") need = Math.min(need, verdict);
  }
  if (need < Infinity && phase === "open") return need;
  if (claimed) return claimed;
  return caught(listed, head, phase) ?? { unknown: need < Infinity ? "partial" : "unknown" };
}

function caught(listed: readonly Listed[], head: Uint8Array, phase: Phase): Sniffed | number | undefined {
  for (const { found, protocol } of listed) {
    const verdict = protocol.catches?.(head) ?? false;
    if (verdict === true) return found;
    if (typeof verdict === "number" && phase === "open") return verdict;
  }
  return undefined;
}

/** Why a connection without a fallback is closed; `ended`: the client has sent FIN. */
export function cannotTell(unknown: Unknown, ended: boolean): GateError {
  if (unknown === "preface") {
    return new GateError(
      "denied",
      "client",
      "Cannot accept a PROXY header: its source is not in proxyProtocol",
    );
  }
  if (unknown === "unknown") {
    return new GateError("malformed", "client", "Cannot tell the protocol: no listed one begins like this");
  }
  if (ended) {
    return new GateError(
      "closed",
      "client",
      "Cannot tell the protocol: the client ended before it was clear",
    );
  }
  return new GateError(
    "timeout",
    "client",
    `Cannot tell the protocol: ${unknown} when the sniff time was over`,
  );
}
