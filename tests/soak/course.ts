/** What is soaked: kinds of connections, what the gate is told, and the programs on both sides of it. */

/** Seconds that clients have: who is busy with a million others may be late. */
export interface Patience {
  readonly sniff: number;
  readonly handshake: number;
}

/** What has to be known of a kind of connections to judge its records. */
export interface KindFacts {
  readonly name: string;
  /** The address its clients come from: by it the journal tells whose record it is. */
  readonly from: string;
  /** Outcomes that its records may have. */
  readonly outcomes: readonly string[];
}

/** By the name of its door: ports of the gate. */
export type Doors = Readonly<Record<string, number>>;

/** `Servers`: what the program of servers prints, as JSON, of where it is. */
export interface Course<Servers = unknown> {
  readonly name: string;
  /** What is counted. */
  readonly unit: string;
  readonly kinds: readonly KindFacts[];
  readonly doors: readonly string[];
  /** Programs: what they say and are told stands in crew.ts and main.ts. */
  readonly clients: URL;
  readonly servers: URL;
  /** Processes of clients, and how many connections each has at once. */
  readonly processes: number;
  readonly atOnce: number;
  /** Where what libssl made is of interest: contexts that a thread may have, made when they are needed. */
  readonly mostContexts?: number;
  /** Sockets that it may keep beyond those it began with: idle upstreams. */
  readonly spare: number;
  /** What the gate is told in round `round`; `more` are listeners. */
  configuration(servers: Servers, round: number, patience: Patience, more: string): string;
  /** What else changes on disk from round to round. */
  change?(servers: Servers, round: number): Promise<void>;
}
