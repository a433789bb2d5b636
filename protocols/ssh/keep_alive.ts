/**
 * Whether the peer of a connection is still there: one that is silent is asked, and its answer has a deadline. Whatever it
 * sends is a sign of life. Of both roles.
 */
import { after, now } from "../../gate/engine/loop.ts";
import { atLimit, GateError } from "../../gate/errors.ts";
import type { Connection } from "./channels/connection.ts";
import { who } from "./failure.ts";

/** ms. */
export interface Silence {
  /** After so much of it the peer is asked. */
  readonly asked: number;
  /** After so much of it the peer is gone. */
  readonly gone: number;
}

/** So that a name is free again within half a minute, though its owner's link was dropped without a word. */
const SILENCE: Silence = { asked: 10_000, gone: 25_000 };
/** How far the peer is away is measured this often, ms: it may move. */
const MEASURED = 60_000;

export class KeepAlive implements Disposable {
  readonly #connection: Connection;
  readonly #silence: Silence;
  #cancel: (() => void) | undefined;
  #measuredAt = now;

  /** From now on; where the peer is gone, the transport is refused. */
  constructor(connection: Connection, silence: Silence = SILENCE) {
    this.#connection = connection;
    this.#silence = silence;
    this.#wait();
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(): void {
    const { asked, gone } = this.#silence, step = Math.min(asked, gone - asked) / 2;
    this.#cancel = after(step, () => this.#look());
  }

  #look(): void {
    const { transport } = this.#connection, { asked, gone } = this.#silence, silent = now - transport.heardAt;
    if (transport.isOver) return;
    if (silent >= gone) {
      const state = `${who(transport.side)} has been silent for ${Math.round(silent / 1000)} s`;
      return transport.refused(
        atLimit("idleTimeout", new GateError("timeout", transport.side, `Cannot go on: ${state}`)),
      );
    }
    if (silent >= asked || now - this.#measuredAt >= MEASURED) {
      this.#measuredAt = now;
      this.#connection.measure();
    }
    this.#wait();
  }
}
