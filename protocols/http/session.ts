/** What the two directions of a client's connection share: the exchange, the upstream, and the one deadline. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { now } from "../../gate/engine/loop.ts";
import { atLimit, GateError, type Side } from "../../gate/errors.ts";
import { Exchange } from "./exchange.ts";
import { forgetRequest, type KeptRequest } from "./kept_requests.ts";
import { Moving } from "./moving.ts";

/** What came of a look at the bytes of a client or an upstream. */
export type What =
  | "over"
  | "late"
  | "cut"
  | "refused"
  | "admit"
  | "own"
  | "connect"
  | "dial"
  | "sent"
  | "interim"
  | "early"
  | "ahead"
  | "again"
  | "answered";

/** One for each direction: nothing is made for each message. */
export class Step {
  used = 0;
  what: What = "over";
  /** What was sent because of it, where the peer does not take it yet. */
  wrote: void | Promise<void> = undefined;

  is(what: What, used = 0, wrote: void | Promise<void> = undefined): this {
    this.used = used;
    this.what = what;
    this.wrote = wrote;
    return this;
  }
}

export class Session {
  readonly client: Stream;
  readonly exchange = new Exchange();
  readonly moving: Moving;
  upstream: Stream | undefined;
  /** The request as it was sent, while it may have to be sent again. */
  repeat: KeptRequest | undefined;
  /** The upstream carried others before: it may have ended just when this request was sent. */
  stale = false;
  /** Authentication holds for the upstream's connection: nobody else gets it. */
  own = false;
  /** Requests that were answered. */
  served = 0;

  constructor(readonly conn: Conn, readonly gate: Gate) {
    this.client = conn.stream;
    conn.moving = this.moving = new Moving(this.exchange, conn.record);
  }

  /** The upstream of this exchange. */
  get current(): Stream {
    if (this.upstream) return this.upstream;
    throw new GateError("closed", "gate", "Cannot go on: there is no upstream any more");
  }

  /** The request was answered, and is not sent again. */
  forgetRepeat(): void {
    if (this.repeat) forgetRequest(this.repeat);
    this.repeat = undefined;
  }

  /** Nobody waits for it any more. */
  dropUpstream(reason: GateError): void {
    this.upstream?.abort(reason);
    this.upstream = undefined;
  }

  /** When the time for an answer to this request is over, however often it is tried; in the loop's time. */
  get until(): number {
    const { timeout = this.conn.limits.idleTimeout } = this.exchange.routed!.http;
    return this.exchange.until ||= now + timeout;
  }

  /** From the request's end to the response's head; `again`: the time that is left of that. */
  awaitResponse(again = false): void {
    if (!again) this.exchange.until = 0;
    this.conn.deadline(Math.max(1, this.until - now), this.#unanswered);
  }

  readonly #unanswered = (): void => this.upstream?.abort(silent("upstream"));

  /** Bytes of the response's content. */
  awaitContent(upstream: Stream): void {
    this.conn.deadline(this.conn.limits.idleTimeout, () => upstream.abort(silent("upstream")));
  }

  /** Bytes wait for this peer. */
  awaitRoom(peer: Stream, side: "client" | "upstream"): void {
    const { bodyTimeout, idleTimeout } = this.conn.limits;
    this.conn.deadline(side === "client" ? bodyTimeout : idleTimeout, () => peer.abort(silent(side)));
  }
}

const silent = (side: Side): GateError => {
  const what = side === "client"
    ? "it takes nothing of its response"
    : "the upstream does not answer in time";
  const reason = new GateError("timeout", side, `Cannot go on: ${what}`);
  return side === "client" ? atLimit("bodyTimeout", reason) : reason;
};
