/**
 * How many connections there may be: in all, for each listener, for each source. Counted in memory that all engines
 * share. Sources are counted by a count-min sketch: bounded whatever the number of sources, never too low.
 */
import { parseIp } from "./address.ts";
import type { Limits } from "./contracts.ts";
import type { Snapshot } from "./snapshot.ts";

/** Protocols with reserved slots, and listeners, that have counters of their own. */
export const MOST_RESERVED = 254, MOST_LISTENERS = 4096;

const ROWS = 2, COLUMNS = 16384;
const GENERAL = 0, WAITING = 1, FIRST_RESERVED = 2, FIRST_LISTENER = FIRST_RESERVED + MOST_RESERVED;
const SOURCES = FIRST_LISTENER + MOST_LISTENERS;
/** Bytes of the shared memory. */
export const LIMITS_SIZE = 4 * (SOURCES + ROWS * COLUMNS);

/** Where a connection is counted. */
export type Place = number;

export class ConnectionLimits {
  readonly #counts: Int32Array;
  /** What of it this engine counted: taken out again should it die. */
  readonly #own: Int32Array;
  readonly #seed: number;
  #reserved: Snapshot["reserved"] = [];
  #general = 0;
  #reservedTotal = 0;

  /** `seed` is the same in all engines of a process and unknown outside: sources cannot be made to collide. */
  constructor(shared: SharedArrayBuffer, own: SharedArrayBuffer, seed: number) {
    this.#counts = new Int32Array(shared);
    this.#own = new Int32Array(own);
    this.#seed = seed;
  }

  /** Slots that a protocol does not have reserved any more stay taken until their connections end. */
  configure(limits: Limits, reserved: Snapshot["reserved"]): void {
    this.#reserved = reserved;
    this.#reservedTotal = reserved.reduce((sum, { slots }) => sum + slots, 0);
    this.#general = limits.connections - this.#reservedTotal;
  }

  /** A slot for a connection that was not told apart yet; undefined: there is none. */
  claim(): Place | undefined {
    if (this.#add(GENERAL, this.#general)) return GENERAL;
    const taken = this.#reserved.reduce((sum, { number }) => sum + this.#counts[FIRST_RESERVED + number], 0);
    return this.#add(WAITING, this.#reservedTotal - taken) ? WAITING : undefined;
  }

  /** Whether a connection there may be cut for another one. */
  isWaiting(place: Place): boolean {
    return place === WAITING;
  }

  /**
   * The slot of a connection that speaks `protocol` from now on, where it waited to be told apart or spoke another one
   * before; undefined: there is none for it.
   */
  assign(place: Place, protocol: string): Place | undefined {
    if (place === GENERAL) return place;
    const own = this.#reserved.find((reserved) => reserved.protocol === protocol);
    if (own && place === FIRST_RESERVED + own.number) return place;
    let assigned: Place | undefined;
    if (own && this.#add(FIRST_RESERVED + own.number, own.slots)) {
      assigned = FIRST_RESERVED + own.number;
    } else if (this.#add(GENERAL, this.#general)) assigned = GENERAL;
    if (assigned !== undefined) this.release(place);
    return assigned;
  }

  release(place: Place): void {
    this.#sub(place);
  }

  /** Counts one more of listener number `listener`; false: `most` are there. */
  enterListener(listener: number, most: number): boolean {
    return this.#add(FIRST_LISTENER + listener, most);
  }

  leaveListener(listener: number): void {
    this.#sub(FIRST_LISTENER + listener);
  }

  /** Connections of a listener now. */
  ofListener(listener: number): number {
    return this.#counts[FIRST_LISTENER + listener];
  }

  /** Connections in the reserved slots of protocol number `reserved` now. */
  ofReserved(reserved: number): number {
    return this.#counts[FIRST_RESERVED + reserved];
  }

  /** A number for a source (an IP literal; IPv6 by its /64) and the listener it is counted under, 0 for all. */
  sourceKey(source: string, listener: number): number {
    let hash = this.#seed ^ Math.imul(listener + 1, 0x9e3779b1);
    // The kernel's text of an IPv4 address is unique: parsing it would cost more than all the counting.
    const v6 = source.includes(":") ? parseIp(source) : undefined;
    const size = v6 ? 8 : source.length;
    for (let i = 0; i < size; i++) hash = Math.imul(hash ^ (v6 ? v6[i] : source.charCodeAt(i)), 0x01000193);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x85ebca6b) >>> 0;
  }

  /** Counts one more of a source; false: `most` are there. */
  enterSource(key: number, most: number): boolean {
    const a = this.#cell(key, 0), b = this.#cell(key, 1);
    const count = Math.min(Atomics.add(this.#counts, a, 1), Atomics.add(this.#counts, b, 1));
    this.#own[a]++;
    this.#own[b]++;
    if (count < most) return true;
    this.leaveSource(key);
    return false;
  }

  leaveSource(key: number): void {
    this.#sub(this.#cell(key, 0));
    this.#sub(this.#cell(key, 1));
  }

  /** Connections there are now. */
  get connections(): number {
    let sum = 0;
    for (let i = 0; i < FIRST_LISTENER; i++) sum += this.#counts[i];
    return sum;
  }

  #cell(key: number, row: number): number {
    const hash = row === 0 ? key : Math.imul(key ^ (key >>> 13), 0xc2b2ae35) >>> 7;
    return SOURCES + row * COLUMNS + (hash & (COLUMNS - 1));
  }

  #add(place: Place, most: number): boolean {
    if (Atomics.add(this.#counts, place, 1) < most) {
      this.#own[place]++;
      return true;
    }
    Atomics.sub(this.#counts, place, 1);
    return false;
  }

  #sub(place: number): void {
    Atomics.sub(this.#counts, place, 1);
    this.#own[place]--;
  }
}
