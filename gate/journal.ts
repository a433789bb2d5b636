/** One record for each connection, at its end: a log line and its counters. Formatted where the bytes are. */
import type { Draft, Peer } from "./contracts.ts";
import { causeChain, type GateError } from "./errors.ts";

export type LogFormat = "text" | "json";

/** A connection that is over. Times in ms. */
export interface JournalEntry {
  readonly id: number;
  readonly parent?: number;
  readonly listener: string;
  readonly peer: Peer;
  readonly record: Readonly<Draft>;
  /** Since the epoch. */
  readonly began: number;
  readonly duration: number;
  readonly failure: GateError | undefined;
}

/** How often something happened; the key is listener, protocol, outcome and side. */
export type Counts = Map<string, number>;

/** What an engine tells main from time to time. */
export interface JournalBatch {
  readonly lines: string;
  readonly counts: readonly (readonly [string, number])[];
  /** By listener: bytes from clients, and to them. */
  readonly bytes: readonly (readonly [string, number, number])[];
}

const BATCH_LINES = 256;

export class Journal {
  #lines: string[] = [];
  #counts: Counts = new Map();
  #bytes = new Map<string, [number, number]>();
  readonly #format: (entry: JournalEntry) => string;
  readonly #post: (batch: JournalBatch) => void;

  constructor(format: LogFormat, post: (batch: JournalBatch) => void) {
    this.#format = format === "json" ? jsonLine : textLine;
    this.#post = post;
  }

  /** `logged`: whether it makes a line; it is counted always. */
  write(entry: JournalEntry, logged: boolean): void {
    const { listener, record, failure } = entry;
    const key = `${listener}\t${record.protocol}\t${failure?.failure ?? "ok"}\t${failure?.side ?? ""}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    const bytes = this.#bytes.get(listener);
    if (bytes) {
      bytes[0] += record.up;
      bytes[1] += record.down;
    } else this.#bytes.set(listener, [record.up, record.down]);
    if (logged) this.#lines.push(this.#format(entry));
    if (this.#lines.length >= BATCH_LINES) this.flush();
  }

  flush(): void {
    if (this.#counts.size === 0) return;
    const bytes = [...this.#bytes].map(([listener, [up, down]]) => [listener, up, down] as const);
    const lines = this.#lines.length > 0 ? this.#lines.join("\n") + "\n" : "";
    this.#post({ lines, counts: [...this.#counts], bytes });
    this.#lines = [];
    this.#counts.clear();
    this.#bytes.clear();
  }
}

/** The facts of an entry in the order both formats print them; empty ones are left out. */
function facts(entry: JournalEntry): [string, string | number][] {
  const { peer, record, failure } = entry;
  const all: [string, string | number | undefined][] = [
    ["listener", entry.listener],
    ["peer", peer.port === undefined ? peer.address : `${bracketed(peer.address)}:${peer.port}`],
    ["protocol", record.protocol],
    ["layers", peer.layers.join(",")],
    ["user", record.user],
    ["serverName", peer.serverName],
    ["target", record.target],
    ["endpoint", record.endpoint],
    ["up", record.up],
    ["down", record.down],
    ["ms", Math.round(entry.duration)],
    ["outcome", failure?.failure ?? "ok"],
    ["side", failure?.side],
    ["cause", failure && causeChain(failure)],
    ["parent", entry.parent],
  ];
  return all.filter((fact): fact is [string, string | number] => fact[1] !== undefined && fact[1] !== "");
}

const bracketed = (address: string): string => address.includes(":") ? `[${address}]` : address;

function jsonLine(entry: JournalEntry): string {
  const time = new Date(entry.began + entry.duration).toISOString();
  return visible(JSON.stringify({
    time,
    level: "info",
    event: "connection",
    id: entry.id,
    ...Object.fromEntries(facts(entry)),
  }));
}

/** logfmt: a value that is not plain is quoted, so that nothing a client sent can forge a field or a line. */
function textLine(entry: JournalEntry): string {
  const time = new Date(entry.began + entry.duration).toISOString();
  return `${time} info  connection ${
    facts(entry).map(([name, value]) => `${name}=${quoted(value)}`).join(" ")
  }`;
}

/** A line that is about no connection. */
export function messageLine(format: LogFormat, level: "info" | "warn" | "error", message: string): string {
  const time = new Date().toISOString();
  return format === "json"
    ? `${JSON.stringify({ time, level, message })}\n`
    : `${time} ${level.padEnd(5)} ${message}\n`;
}

export function quoted(value: string | number): string {
  return typeof value === "number" || /^[\w.:,/@[\]*+-]+$/.test(value)
    ? String(value)
    : visible(JSON.stringify(value));
}

/** DEL, the second set of controls (CSI is one of them), and what turns or hides text: JSON leaves them as they are. */
const UNSEEN = /[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** JSON that no terminal obeys. */
const visible = (json: string): string =>
  json.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
