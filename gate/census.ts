/** Who is here: every live connection of this thread, counted under the limits it falls under. */
import type { Connection } from "./connection.ts";
import type { Limits } from "./contracts.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Entry } from "./entry.ts";
import { GateError, type LimitName } from "./errors.ts";
import type { ConnectionLimits, Place } from "./limits.ts";

export class Census {
  readonly #counted: ConnectionLimits;
  /**
   * Each in a seat of its own, of which those of the gone are free. Not a Map: V8 keeps the tables that a Map grew out of
   * until its next full collection, and with each of them whom it had, so that most of what is dead outlives scavenges.
   */
  readonly #seats: (Connection | undefined)[] = [];
  readonly #free: number[] = [];
  /** Not told apart yet and in a reserved slot, the oldest first: they give way when the slots are full. */
  readonly #waiting = new Set<Connection>();
  #limits!: Limits;
  #hits = new Map<LimitName, number>();

  constructor(counted: ConnectionLimits) {
    this.#counted = counted;
  }

  configure({ limits, reserved }: Snapshot): void {
    this.#limits = limits;
    this.#counted.configure(limits, reserved);
  }

  /** A limit bit. */
  hit(name: LimitName): void {
    this.#hits.set(name, (this.#hits.get(name) ?? 0) + 1);
  }

  /** Which limits bit how often since the last call. */
  takeHits(): readonly (readonly [LimitName, number])[] {
    if (this.#hits.size === 0) return [];
    const hits = [...this.#hits];
    this.#hits = new Map();
    return hits;
  }

  /** The oldest first. */
  get connections(): readonly Connection[] {
    return this.#seats.filter((connection) => connection !== undefined).sort((a, b) => a.id - b.id);
  }

  get size(): number {
    return this.#seats.length - this.#free.length;
  }

  /** A slot for one more at `entry` (none: an unwrapped stream); undefined: a limit is reached. */
  claim(entry: Entry | undefined): Place | undefined {
    if (entry && !this.#counted.enterListener(entry.rules.number, entry.rules.connections ?? Infinity)) {
      this.hit("listener");
      return undefined;
    }
    const place = this.#counted.claim() ?? this.#takeOldest();
    if (place !== undefined) return place;
    this.hit("connections");
    if (entry) this.#counted.leaveListener(entry.rules.number);
    return undefined;
  }

  /** Gives back what claim gave, where no connection came of it. */
  release(place: Place, entry: Entry | undefined): void {
    this.#counted.release(place);
    if (entry) this.#counted.leaveListener(entry.rules.number);
  }

  enter(connection: Connection): void {
    connection.seat = this.#free.pop() ?? this.#seats.length;
    this.#seats[connection.seat] = connection;
    if (this.#counted.isWaiting(connection.place)) this.#waiting.add(connection);
  }

  leave(connection: Connection): void {
    this.#seats[connection.seat] = undefined;
    this.#free.push(connection.seat);
    this.#waiting.delete(connection);
    this.#counted.release(connection.place);
    for (const key of connection.sourceKeys) this.#counted.leaveSource(key);
    const { number, outer } = connection.entrance;
    if (!outer) this.#counted.leaveListener(number);
  }

  /**
   * The source counts as itself; who speaks the PROXY protocol for others is bounded by `connections` alone. False: a
   * limit is reached.
   */
  enterSource(connection: Connection): boolean {
    const { entry, number } = connection.entrance;
    const { address } = connection.peer;
    if (address === "unix" || (entry.isProxy(address) && !connection.proxied)) return true;
    const { perSource = Infinity } = entry.rules;
    return this.#countSource(connection, 0, this.#limits.perSource, "perSource") &&
      (perSource === Infinity || this.#countSource(connection, number + 1, perSource, "listenerPerSource"));
  }

  /** What it speaks is known, or is another protocol now: it needs a slot that is for this one. Throws GateError. */
  toldApart(connection: Connection, protocol: string): void {
    this.#waiting.delete(connection);
    const place = this.#counted.assign(connection.place, protocol);
    if (place === undefined) {
      this.hit("connections");
      throw new GateError(
        "exhausted",
        "gate",
        "Cannot serve a connection: the free slots are for other protocols",
      );
    }
    connection.place = place;
  }

  #countSource(connection: Connection, scope: number, most: number, name: LimitName): boolean {
    const key = this.#counted.sourceKey(connection.peer.address, scope);
    if (!this.#counted.enterSource(key, most)) {
      this.hit(name);
      return false;
    }
    connection.sourceKeys.push(key);
    return true;
  }

  #takeOldest(): Place | undefined {
    const [oldest] = this.#waiting;
    if (!oldest) return undefined;
    this.hit("reserve");
    const reason = new GateError(
      "exhausted",
      "gate",
      "Cannot wait for first bytes: another one needs the slot",
    );
    oldest.abort(reason);
    oldest.end(reason);
    return this.#counted.claim();
  }
}
