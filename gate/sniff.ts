/**
 * Tells from the first bytes which of several protocols a client speaks. "Yes" wins when all others said no, or when
 * the time is over: so the order of a list never decides.
 */
import type { Protocol, Protocols } from "./contracts.ts";
import type { Phase } from "./streams.ts";
import type { Inspect } from "./engine/relay.ts";
import { atLimit, GateError } from "./errors.ts";

/** A protocol by its registry name, or why there is none. */
export type Sniffed =
  | { readonly protocol: string }
  /** `speaks`: what it would be where the listener listed that. */
  | { readonly unknown: Unknown; readonly speaks?: string };
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
  /** Who has one gets what no listed protocol is sure of: a weaker claim takes nothing from it. */
  fallback = false,
): (head: Uint8Array, phase: Phase) => Sniffed | number {
  const listed: Listed[] = names.map((name) => ({ found: { protocol: name }, protocol: protocols[name] }));
  if (preface?.sniff) listed.push({ found: { unknown: "preface" }, protocol: preface });
  return (head, phase) => {
    const told = tellApart(listed, head, phase, fallback);
    if (typeof told === "number" || !("unknown" in told) || told.unknown !== "unknown") return told;
    const speaks = Object.keys(protocols).find((name) => protocols[name].sniff?.(head) === true);
    return speaks === undefined ? told : { unknown: told.unknown, speaks };
  };
}

function tellApart(
  listed: readonly Listed[],
  head: Uint8Array,
  phase: Phase,
  fallback: boolean,
): Sniffed | number {
  if (head.length === 0) return phase === "open" ? 1 : { unknown: "silent" };
  let claimed: Sniffed | undefined, need = Infinity;
  for (const { found, protocol } of listed) {
    const verdict = protocol.sniff?.(head) ?? false;
    if (verdict === true) claimed = found;
    else if (typeof verdict === "number") need = Math.min(need, verdict);
  }
  if (need < Infinity && phase === "open") return need;
  if (claimed) return claimed;
  return (fallback ? undefined : caught(listed, head, phase)) ??
    { unknown: need < Infinity ? "partial" : "unknown" };
}

function caught(listed: readonly Listed[], head: Uint8Array, phase: Phase): Sniffed | number | undefined {
  for (const { found, protocol } of listed) {
    const verdict = protocol.catches?.(head) ?? false;
    if (verdict === true) return found;
    if (typeof verdict === "number" && phase === "open") return verdict;
  }
  return undefined;
}

/**
 * Keeps `preface` away from a fallback when it comes behind silence, or is completed there, in whatever pieces: throws
 * "denied". What may still become one goes on as it comes, or who answers a prompt with an empty line would wait for
 * good (version 2 of PROXY begins with two); the piece that makes it one never does.
 */
export function withoutPreface(preface: Protocol): Inspect {
  let head = NOTHING, decided = !preface.sniff;
  return (bytes, at, size) => {
    if (decided) return;
    const more = bytes.subarray(at, at + size);
    const seen = head.length === 0 ? more : joined(head, more);
    const verdict = preface.sniff!(seen);
    if (verdict === true) throw cannotTell("preface", false);
    decided = verdict === false;
    head = decided ? NOTHING : seen.slice(); // shorter than the bytes that it needs
  };
}

/** Why a connection without a fallback is closed; `ended`: the client has sent FIN; `speaks` as of Sniffed. */
export function cannotTell(unknown: Unknown, ended: boolean, speaks?: string): GateError {
  if (unknown === "preface") {
    return new GateError(
      "denied",
      "client",
      "Cannot accept a PROXY header: its source is not in proxyProtocol",
    );
  }
  if (unknown === "unknown") {
    const state = speaks === undefined
      ? "no listed one begins like this"
      : `it begins as ${speaks}, which is not among the protocols of this listener`;
    return new GateError("malformed", "client", `Cannot tell the protocol: ${state}`);
  }
  if (ended) {
    return new GateError(
      "closed",
      "client",
      "Cannot tell the protocol: the client ended before it was clear",
    );
  }
  const state = `${unknown} when the sniff time was over`;
  return atLimit("sniffTimeout", new GateError("timeout", "client", `Cannot tell the protocol: ${state}`));
}

const NOTHING = new Uint8Array(0);

function joined(head: Uint8Array, more: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + more.length);
  bytes.set(head);
  bytes.set(more, head.length);
  return bytes;
}
