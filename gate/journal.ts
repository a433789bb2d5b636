/** One record for each connection, at its end: a log line and its counters. Formatted where the bytes are. */
import { type JournalEntry, logConnection } from "./connection_log.ts";
import { type Durations, Histogram } from "./durations.ts";
import type { GateError } from "./errors.ts";
import { LineBuffer } from "./line_buffer.ts";
import type { Level } from "./log.ts";
import type { LogFormat } from "./log_line.ts";
import { type CountedRequests, RequestCounts } from "./request_counts.ts";
import { logRequest, type RequestEntry } from "./request_log.ts";

/** What an engine tells main from time to time. */
export interface JournalBatch {
  /** UTF-8; the batch's own. */
  readonly lines: Uint8Array<ArrayBuffer>;
  /** How often connections ended so: listener, protocol, outcome and side, tab-separated. */
  readonly counts: readonly (readonly [string, number])[];
  /** By listener: bytes from clients, and to them. */
  readonly bytes: readonly (readonly [string, number, number])[];
  /** How long telling apart and dialing took. */
  readonly sniff: Durations;
  readonly dial: Durations;
  /** Wrong passwords: listener and protocol, tab-separated. */
  readonly authFailures: readonly (readonly [string, number])[];
  /** Of routes where something happened. */
  readonly requests: readonly CountedRequests[];
}

/**
 * `connections`: whether each connection makes a line, `layers`: also one that was but the layer around others, and
 * ended well: they have lines of their own, which tell of it. The gate's own faults always make one.
 */
export interface JournalLog {
  readonly format: LogFormat;
  readonly connections: boolean;
  readonly layers: boolean;
}

/** Octets of lines. */
const BATCH = 512 * 1024;

export class Journal {
  #log: JournalLog;
  #lines = new LineBuffer();
  #counts = new Map<string, number>();
  #bytes = new Map<string, { up: number; down: number }>();
  #authFailures = new Map<string, number>();
  #sniff = new Histogram();
  #dial = new Histogram();
  /** Those of all connections. */
  readonly requests = new RequestCounts();
  readonly #post: (batch: JournalBatch) => void;

  constructor(log: JournalLog, post: (batch: JournalBatch) => void) {
    this.#log = log;
    this.#post = post;
  }

  /** From the next record on. */
  configure(log: JournalLog): void {
    this.#log = log;
  }

  /** Counts a connection that is over, and makes its line. */
  write(entry: JournalEntry): void {
    const { listener, record, failure, counted } = entry;
    count(
      this.#counts,
      `${listener}\t${record.protocol}\t${failure?.failure ?? "ok"}\t${failure?.side ?? ""}`,
    );
    this.moved(listener, record.up - counted.up, record.down - counted.down);
    const level = levelOf(failure);
    if (!this.#log.connections && level === "info") return;
    if (entry.isLayer && !failure && !this.#log.layers) return;
    logConnection(this.#lines, this.#log.format, level, entry);
    if (this.#lines.size >= BATCH) this.flush();
  }

  /** Makes the line of a request. */
  request(entry: RequestEntry): void {
    const level = levelOf(entry.record.failure);
    if (!this.#log.connections && level === "info") return;
    logRequest(this.#lines, this.#log.format, level, entry);
    if (this.#lines.size >= BATCH) this.flush();
  }

  /** Bytes of a live connection that were not told yet. */
  moved(listener: string, up: number, down: number): void {
    if (up === 0 && down === 0) return;
    const bytes = this.#bytes.get(listener);
    if (bytes) {
      bytes.up += up;
      bytes.down += down;
    } else this.#bytes.set(listener, { up, down });
  }

  /** A connection was told apart within so many ms. */
  sniffed(ms: number): void {
    this.#sniff.observe(ms);
  }

  /** A dial stood after so many ms. */
  dialed(ms: number): void {
    this.#dial.observe(ms);
  }

  /** Somebody gave a wrong password. */
  authFailed(listener: string, protocol: string): void {
    count(this.#authFailures, `${listener}\t${protocol}`);
  }

  /** Posts what there is, if there is anything. */
  flush(): void {
    const counts = [...this.#counts], authFailures = [...this.#authFailures];
    const bytes = [...this.#bytes].map(([listener, { up, down }]) => [listener, up, down] as const);
    const requests = this.requests.take();
    const observed = this.#sniff.total + this.#dial.total + this.#lines.size + requests.length;
    if (counts.length + authFailures.length + bytes.length + observed === 0) return;
    const lines = this.#lines.take();
    this.#counts.clear();
    this.#bytes.clear();
    this.#authFailures.clear();
    this.#post({
      ...{ lines, counts, bytes, authFailures, requests },
      sniff: this.#sniff.take(),
      dial: this.#dial.take(),
    });
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** A fault of this program is an error at every level of the log; how others fail is what a gate is there to tell. */
const levelOf = (failure: GateError | undefined): Level => failure?.failure === "internal" ? "error" : "info";
