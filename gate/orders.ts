/** What main and the engine threads tell each other: plain data over a MessagePort. */
import type { Destination, Target } from "./contracts.ts";
import type { Failure, Side } from "./errors.ts";
import type { JournalBatch, LogFormat } from "./journal.ts";
import type { Snapshot } from "./snapshot.ts";

/** One listening socket; the descriptor stays main's. */
export interface Bound {
  readonly fd: number;
  readonly listener: string;
  /** As the configuration has it. */
  readonly address: string;
  /** The listener's number, for counters in shared memory: one for all its addresses. */
  readonly number: number;
}

/** What an engine starts with. */
export interface Start {
  readonly snapshot: Snapshot;
  readonly port: MessagePort;
  readonly engine: number;
  readonly engines: number;
  readonly limits: SharedArrayBuffer;
  readonly health: SharedArrayBuffer;
  /** Depth of the gate's own connections to itself, by local port: see own_dials.ts. */
  readonly ownDials: SharedArrayBuffer;
  readonly seed: number;
  readonly log: { readonly format: LogFormat; readonly connections: boolean };
}

export interface Login {
  readonly listener: string;
  /** IP literal, or "unix". */
  readonly source: string;
  readonly user: string;
  readonly password: string;
}

/** "throttled": this source failed too often lately. "busy": too many passwords wait to be verified. */
export type LoginAnswer = "right" | "wrong" | "throttled" | "busy";

/** A GateError as data; `message` has the sentences of its causes too. */
export interface Failed {
  readonly failure: Failure;
  readonly side: Side;
  readonly message: string;
}

export type Answer =
  | { readonly id: number; readonly destination: Destination | undefined }
  | { readonly id: number; readonly login: LoginAnswer }
  | { readonly id: number; readonly failed: Failed };

/** Main to engine. */
export type Order =
  | { readonly op: "listen"; readonly bound: Bound }
  | { readonly op: "unlisten"; readonly fd: number }
  | { readonly op: "snapshot"; readonly snapshot: Snapshot; readonly health: SharedArrayBuffer }
  | { readonly op: "answer"; readonly answer: Answer }
  | { readonly op: "changed"; readonly patterns: readonly string[] }
  | { readonly op: "stop" };

export type Question =
  | { readonly ask: "resolve"; readonly target: Target }
  | { readonly ask: "login"; readonly login: Login };

/** Engine to main. */
export type Report =
  /** `wake`: the eventfd that tells this engine of orders. */
  | { readonly op: "ready"; readonly wake: number }
  | { readonly op: "unlistened"; readonly fd: number }
  | { readonly op: "question"; readonly id: number; readonly question: Question }
  | { readonly op: "journal"; readonly batch: JournalBatch }
  | { readonly op: "limits"; readonly hits: readonly (readonly [string, number])[] }
  /** An endpoint of a route is left out from now on, for this reason; without one it is back. */
  | { readonly op: "endpoint"; readonly endpoint: string; readonly reason?: string }
  | { readonly op: "fault"; readonly what: string; readonly text: string }
  | { readonly op: "stopped" };
