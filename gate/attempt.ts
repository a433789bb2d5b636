/** One dial for one connection: marked where it leads to this gate itself, counted at its endpoint, given up with it. */
import { formatTarget, type Target } from "./address.ts";
import type { Connection } from "./connection.ts";
import { GateError } from "./errors.ts";
import { Dial, type DialOwner } from "./engine/dial.ts";
import { promiseResolved } from "./engine/loop.ts";
import { MOST_DEPTH, type OwnDials } from "./engine/own_dials.ts";
import type { Socket } from "./engine/socket.ts";
import type { OwnAddresses } from "./own_address.ts";

/** Hears how a dial ended: it stood, or failed. */
export type Outcome = (failure: GateError | undefined) => void;

export class Attempt implements DialOwner {
  readonly #conn: Connection;
  readonly #own: OwnAddresses;
  readonly #marks: OwnDials;
  readonly #outcome: Outcome | undefined;
  readonly #resolve: (socket: Socket) => void;
  readonly #reject: (reason: GateError) => void;

  private constructor(
    conn: Connection,
    own: OwnAddresses,
    marks: OwnDials,
    outcome: Outcome | undefined,
    resolve: (socket: Socket) => void,
    reject: (reason: GateError) => void,
  ) {
    this.#conn = conn;
    this.#own = own;
    this.#marks = marks;
    this.#outcome = outcome;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** `addresses` are literals; `ms` is the time for all of them. Rejects with GateError; `outcome` hears it first. */
  static dial(
    addresses: readonly Target[],
    ms: number,
    conn: Connection,
    own: OwnAddresses,
    marks: OwnDials,
    outcome?: Outcome,
  ): Promise<Socket> {
    return new Promise((resolve, reject) => {
      if (conn.over) return reject(new GateError("closed", "client", "Cannot connect: the client is gone"));
      const attempt = new Attempt(conn, own, marks, outcome, resolve, reject);
      const dial = new Dial(addresses, ms, attempt);
      if (!dial.over) conn.underWay = dial;
    });
  }

  beforeConnect(fd: number, address: Target, family: number): void {
    if (!this.#own.hasPort(address) || !this.#own.look(address, true, [])?.own) return;
    const depth = this.#conn.entrance.depth + 1;
    if (depth > MOST_DEPTH) {
      const where = formatTarget(address);
      throw new GateError(
        "denied",
        "gate",
        `Cannot connect to ${where}: this gate's own, and a loop ${depth} deep`,
      );
    }
    const mark = this.#marks.mark(fd, family, depth);
    this.#conn.atEnd(() => this.#marks.release(mark));
  }

  stood(socket: Socket, address: Target): void {
    this.#conn.underWay = undefined;
    this.#conn.stood(address);
    this.#outcome?.(undefined);
    promiseResolved();
    this.#resolve(socket);
  }

  failed(reason: GateError): void {
    this.#conn.underWay = undefined;
    this.#outcome?.(reason);
    promiseResolved();
    this.#reject(reason);
  }
}
