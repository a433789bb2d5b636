/** What an operator may see of a running gate, and do to it: the admin page and the commands speak these words. */
import type { Proof } from "./identity/identity.ts";
import type { StatusClass } from "./request_counts.ts";

/** One connection that is not over: plain data. Times in ms since the epoch. */
export interface LiveConnection {
  readonly id: number;
  /** The connection it was unwrapped from. */
  readonly parent?: number;
  readonly listener: string;
  /** As the journal writes it: `192.0.2.1:4711`, `[2001:db8::1]:4711`, `unix`. */
  readonly peer: string;
  readonly protocol: string;
  readonly user?: string;
  readonly serverName?: string;
  readonly target?: string;
  readonly endpoint?: string;
  /** The place of the route it took, or `fallback`. */
  readonly route?: string;
  /** Bytes from the client, and to it, so far. */
  readonly up: number;
  readonly down: number;
  readonly began: number;
  readonly stage: "sniffing" | "serving" | "relaying";
}

/** ms: a trial lasts at most a day. */
export const LONGEST_TRIAL = 86_400_000;

/** "unchanged": what is on disk says what holds already. "refused": nothing changed, `problems` tell why. */
export interface ReloadOutcome {
  readonly result: "applied" | "unchanged" | "refused";
  /** What is different now, a sentence each: `listener edge: on :8443 instead of :443`. */
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

/** A configuration that holds until it is confirmed or its time is over. */
export interface Trial {
  readonly id: string;
  /** The file whose place it takes when confirmed: absolute. */
  readonly file: string;
  readonly text: string;
  /** ms until the one before holds again. 0: that fails so far, and is tried again until something is decided. */
  readonly left: number;
}

/** "over": there is no trial of this id. "changed": the file is not what the gate read last; the trial goes on. */
export type Confirmation = "confirmed" | "over" | "changed";

/** An endpoint of a route, as the engines see it. */
export interface EndpointState {
  readonly route: string;
  readonly endpoint: string;
  /** Connections there now. */
  readonly active: number;
  /** false: left out for a while. */
  readonly usable: boolean;
}

export interface EngineState {
  readonly engine: number;
  /** How often it was started again. */
  readonly restarts: number;
  readonly alive: boolean;
}

/** A listener and what it has carried since the gate started. Bytes of connections under way are in it. */
export interface ListenerState {
  readonly listener: string;
  /** Where it is bound, with the port that the kernel chose; several are separated by `, `. */
  readonly address: string;
  readonly protocols: readonly string[];
  /** Connections now, and those that are over. */
  readonly active: number;
  readonly ended: number;
  /** Bytes from clients, and to them. */
  readonly up: number;
  readonly down: number;
}

/** Requests of a route that are handled one by one, since the gate started. */
export interface RequestState {
  /** The place of the route; `none`: no route took them; `proxy`: clients named their targets themselves. */
  readonly route: string;
  /** As metrics call it. */
  readonly label: string;
  /** Requests now. */
  readonly active: number;
  /** Those that are over, by the class of their status; all classes are there. */
  readonly statuses: Readonly<Record<StatusClass, number>>;
  /** Bytes of the content of requests, and of responses. */
  readonly up: number;
  readonly down: number;
  /** How long they took, to the end of the response: half of them, and all but a hundredth, ms; absent: there were none. */
  readonly latency?: { readonly p50: number; readonly p99: number };
}

/** A certificate with which TLS ends here. */
export interface CertificateState {
  /** A file of the configuration, or an authority, of which a copy is kept. */
  readonly source: "file" | "acme";
  /** Those it is used for; none: addresses alone. */
  readonly names: readonly string[];
  readonly file: string;
  /** This and what follows is not there before the authority has issued it. */
  readonly issuer?: string;
  /** The end of its validity: ISO 8601. */
  readonly expires?: string;
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint?: string;
  /** When the authority is asked next: ISO 8601; absent where it is asked now. */
  readonly nextAttempt?: string;
  /** Why it issued none when it was asked last. */
  readonly failure?: string;
}

/** Somebody who is connected, and is reached by names through that connection: plain data. Times in ms. */
export interface NodeStatus {
  /** Of the connection. */
  readonly id: number;
  /** What it is reached by, as it was registered: `pi.mesh.example.com:22`. */
  readonly names: readonly string[];
  /** Who it has proven to be, as a policy names it, and by what. */
  readonly identity: string;
  readonly proof: string;
  /** As the journal writes it. */
  readonly peer: string;
  readonly listener: string;
  readonly protocol: string;
  /** Since the epoch. */
  readonly since: number;
  /** From a message to its answer, as it was measured last; absent: it was not. */
  readonly roundTrip?: number;
  /** Streams to its names that are open, and how many there were in all. */
  readonly streams: number;
  readonly served: number;
  /** Bytes of these: from the node, and to it. */
  readonly up: number;
  readonly down: number;
}

/** Who is there now, in numbers. */
export interface Population {
  /** Connections that others are reached through, the names that they have, and the streams to those. */
  readonly nodes: number;
  readonly names: number;
  readonly streams: number;
  /** By what connections have proven who is there. */
  readonly proven: Readonly<Partial<Record<Proof, number>>>;
}

/** Somebody who comes for what a node offers, goes, or asks there: plain data. Times in ms. */
export interface Visit {
  /** Since the epoch. */
  readonly at: number;
  /** What it came for, with the port: `pi.mesh.example.com:443`. */
  readonly name: string;
  /** IP literal, or "unix". */
  readonly from: string;
  /** A request's method and path, else what it speaks, as the registry calls it. */
  readonly what: string;
  /** How it ended: a status, `ok` or a Failure; absent: it begins. */
  readonly outcome?: string;
  readonly duration?: number;
  /** Bytes that were moved both ways. */
  readonly bytes?: number;
}

/** How many connections ended like this; `outcome` is `ok` or a Failure, which has a side. */
export interface EndedCount {
  readonly listener: string;
  readonly protocol: string;
  readonly outcome: string;
  readonly side?: string;
  readonly count: number;
}

/** What `/status` answers. Times are ISO 8601, counts since the gate started. */
export interface Status {
  readonly version: string;
  readonly startedAt: string;
  /** No new connections are taken: it is about to end. */
  readonly draining: boolean;
  readonly configuration: {
    /** None: the built-in one. */
    readonly files: readonly string[];
    /** It is what worked last, and not what these files say: the gate started with --last-good. */
    readonly lastGood?: boolean;
    /** Of what is on disk; trials are none. */
    readonly lastReload?: {
      readonly at: string;
      readonly result: ReloadOutcome["result"];
      /** Why it was refused: the first reasons; none where it was not. */
      readonly problems: readonly string[];
    };
    readonly trial?: Pick<Trial, "id" | "left">;
  };
  /** One for each name. */
  readonly listeners: readonly ListenerState[];
  readonly engines: readonly EngineState[];
  readonly endpoints: readonly EndpointState[];
  /** In the order of the routes. */
  readonly requests: readonly RequestState[];
  readonly certificates: readonly CertificateState[];
  /** Now, on all listeners. */
  readonly connections: number;
  /** By the limit's name. */
  readonly limitHits: Readonly<Record<string, number>>;
  readonly authFailures: number;
  readonly ended: readonly EndedCount[];
}

/** Verbs of the command line that change nothing: who has the role `admin` may have them printed through a connection. */
export const READING_VERBS = ["status", "nodes", "connections", "id", "version"] as const;
export type ReadingVerb = typeof READING_VERBS[number];

/** One of them; `columns`: how wide its terminal is, where it has one. */
export interface Reading {
  readonly verb: ReadingVerb;
  readonly json: boolean;
  readonly columns?: number;
}

/** What it printed, and its exit code. */
export interface Printed {
  readonly text: string;
  readonly code: number;
}

/** The running gate, for who operates it. What rejects is a GateError. */
export interface Operations {
  /** What `/status` answers. */
  status(): Promise<Status>;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  /** At most `most` of the live connections, the newest first, and how many there are. */
  connections(
    most: number,
  ): Promise<{ readonly total: number; readonly connections: readonly LiveConnection[] }>;
  /** Who is reached through a connection, by the first of the names. */
  nodes(): Promise<readonly NodeStatus[]>;
  /** The configuration that holds, secrets masked, `${NAME}` unreplaced. */
  configuration(): unknown;
  /** Whether the engines turn. */
  healthy(): boolean;
  /** Whether new connections are taken: not before everything is bound, and no more once it drains. */
  ready(): boolean;
  /** Reads the configuration on disk again. */
  reload(): Promise<ReloadOutcome>;
  /** Applies `text` for `ms`: then what held before does again, unless it was confirmed. */
  try(text: string, ms: number): Promise<ReloadOutcome & { readonly trial?: Trial }>;
  /** The trial under way. */
  readonly trial: Trial | undefined;
  /** The trial of that id holds for good, unless it is over or somebody changed the file. */
  confirm(id: string): Promise<Confirmation>;
}
