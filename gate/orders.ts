/** What main and the engine threads tell each other: plain data over a MessagePort. */
import type { PendingChallenges } from "./acme/pending.ts";
import type { Target } from "./address.ts";
import type { Destination } from "./contracts.ts";
import type { SignatureCheck } from "./engine/openssl_keys.ts";
import type { Introduction, Signing } from "./keyring.ts";
import type { AuthorizedKey } from "./identity/logins.ts";
import type { FilesSite, TokenAnswer, TokenRule } from "./requests.ts";
import { atLimit, type Failure, GateError, type LimitName, type Side, telling } from "./errors.ts";
import type { JournalBatch } from "./journal.ts";
import type { Ledger, SharedMemory } from "./memory.ts";
import type { LiveConnection, NodeStatus, Population, Printed, Reading } from "./operations.ts";
import type { Crossing } from "./mesh/crossings.ts";
import type { FarVisits } from "./mesh/far_visits.ts";
import type { LiveChange } from "./mesh/live_names.ts";
import type { Registering } from "./mesh/registrations.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Throttled } from "./throttle.ts";

/** One listening socket; the descriptor stays main's. */
export interface Bound {
  readonly fd: number;
  readonly listener: string;
  /** As the configuration has it, but with the port that the kernel chose for 0. */
  readonly address: string;
}

/** What an engine starts with. */
export interface Start {
  readonly snapshot: Snapshot;
  readonly port: MessagePort;
  readonly engine: number;
  readonly engines: number;
  readonly memory: SharedMemory;
  readonly ledger: Ledger;
  readonly seed: number;
  /** How often this engine was started again: numbers of connections are not given twice. */
  readonly restarts: number;
  /** Of tickets of TLS: 80 bytes each, the newest first, the same for all engines. */
  readonly ticketKeys: Uint8Array;
}

export interface Login {
  readonly listener: string;
  /** Registry name, for the log. */
  readonly protocol?: string;
  /** IP literal, or "unix". */
  readonly source: string;
  readonly user: string;
  readonly password: string;
  /** The name of the set of users that it is for; absent: those of the listener. */
  readonly users?: string;
}

/** A token that a request gave; `rule` is its route's. */
export interface GivenToken {
  readonly listener: string;
  readonly protocol?: string;
  /** IP literal, or "unix". */
  readonly source: string;
  readonly rule: TokenRule;
  readonly token: string;
}

/** "throttled": this source failed too often lately. "busy": too many passwords wait to be verified. */
export type LoginAnswer = "right" | "wrong" | "throttled" | "busy";

/** A GateError as data; `message` has the sentences of its causes too. */
export interface Failed {
  readonly failure: Failure;
  readonly side: Side;
  readonly message: string;
  readonly limit?: LimitName;
  readonly told?: string;
}

export const asFailed = ({ failure, side, message, limit, told }: GateError): Failed => (
  { failure, side, message, limit, told }
);

export function readFailed({ failure, side, message, limit, told }: Failed): GateError {
  const error = new GateError(failure, side, message);
  if (told !== undefined) telling(told, error);
  return limit ? atLimit(limit, error) : error;
}

export type Answer =
  | { readonly id: number; readonly destination: Destination | undefined }
  | { readonly id: number; readonly login: LoginAnswer }
  | { readonly id: number; readonly token: TokenAnswer | "throttled" }
  | { readonly id: number; readonly signed: boolean }
  | { readonly id: number; readonly introduction: Introduction }
  | { readonly id: number; readonly signature: Uint8Array }
  | { readonly id: number; readonly printed: Printed }
  | { readonly id: number; readonly failed: Failed };

/** Main to engine. */
export type Order =
  | { readonly op: "listen"; readonly bound: Bound }
  | { readonly op: "unlisten"; readonly fd: number }
  /** Some rules of the snapshot that follows: an engine that took thousands at once would stall. */
  | { readonly op: "rules"; readonly routes: Snapshot["routes"]; readonly policy: Snapshot["policy"] }
  | { readonly op: "certificates"; readonly certificates: Snapshot["certificates"] }
  | { readonly op: "keys"; readonly keys: readonly AuthorizedKey[] }
  /**
   * The snapshot without those. Live connections are judged again: rights may have been taken away. Sockets that are
   * `handed` are another listener's with it: nobody is accepted for one that has no rules any more.
   */
  | { readonly op: "snapshot"; readonly snapshot: Snapshot; readonly handed: readonly Bound[] }
  | { readonly op: "answer"; readonly answer: Answer }
  | { readonly op: "changed"; readonly patterns: readonly string[] }
  /** Authorities are answered these from now on, and no others. */
  | { readonly op: "challenges"; readonly challenges: PendingChallenges }
  /** Tickets of TLS are issued and accepted under these from now on. */
  | { readonly op: "ticketKeys"; readonly keys: Uint8Array }
  /** Whether a registration is granted. */
  | { readonly op: "registered"; readonly id: number; readonly refused?: Failed }
  /** What was granted holds no more: another connection has it now. */
  | { readonly op: "lost"; readonly id: number; readonly reason: Failed }
  /** Names that are reached through connections. */
  | { readonly op: "names"; readonly change: LiveChange }
  /** The end of a pair, for who is connected to this engine. */
  | { readonly op: "cross"; readonly crossing: Crossing }
  /** Whether a session looks at who comes for what that connection offers. */
  | { readonly op: "watching"; readonly connection: number; readonly on: boolean }
  /** Who came by other engines. */
  | { readonly op: "visits"; readonly visits: FarVisits }
  /** Tell the live connections, `most` of them, the newest first. */
  | { readonly op: "list"; readonly id: number; readonly most: number }
  /** Tell the connections that others are reached through. */
  | { readonly op: "nodes"; readonly id: number }
  /** Tell what was counted so far, bytes of live connections too. */
  | { readonly op: "count"; readonly id: number }
  /** Take nothing new; tell when nobody is left. */
  | { readonly op: "drain" }
  | { readonly op: "stop" };

export type Question =
  | { readonly ask: "resolve"; readonly target: Target }
  | { readonly ask: "login"; readonly login: Login }
  | { readonly ask: "token"; readonly given: GivenToken }
  | { readonly ask: "signed"; readonly check: SignatureCheck }
  | { readonly ask: "introduction"; readonly host: Target }
  | { readonly ask: "signature"; readonly signing: Signing }
  | { readonly ask: "print"; readonly reading: Reading };

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
  /** A source that gives wrong keys and tokens has to wait from now on. */
  | { readonly op: "throttled"; readonly source: Throttled }
  /** Some of them, for they are many; `more` are on their way. */
  | {
    readonly op: "listed";
    readonly id: number;
    readonly total: number;
    readonly connections: readonly LiveConnection[];
    readonly more: boolean;
  }
  /** Some of them; `more` are on their way. */
  | {
    readonly op: "nodes";
    readonly id: number;
    readonly nodes: readonly NodeStatus[];
    readonly more: boolean;
  }
  | { readonly op: "counted"; readonly id: number; readonly population: Population }
  /** A descriptor for the thread of files: the engine's own until main has given it away. */
  | { readonly op: "files"; readonly fd: number; readonly site: FilesSite }
  /** A connection of this engine wants to be reached by a name; or does no more. */
  | { readonly op: "register"; readonly registering: Omit<Registering, "engine"> }
  | { readonly op: "withdraw"; readonly id: number }
  /** Or asked for one that it cannot have, for the log. */
  | { readonly op: "noName"; readonly asked: Omit<Registering, "engine" | "id">; readonly why: string }
  /** A descriptor for that engine: this one's own until main has given it away. */
  | { readonly op: "cross"; readonly engine: number; readonly crossing: Crossing }
  /** A session looks at who comes for what that connection of this engine offers; or does no more. */
  | { readonly op: "watching"; readonly connection: number; readonly on: boolean }
  /** Who came for what a connection of that engine offers. */
  | { readonly op: "visits"; readonly engine: number; readonly visits: FarVisits }
  | { readonly op: "drained" }
  | { readonly op: "fault"; readonly what: string; readonly text: string }
  | { readonly op: "stopped" };
