/** The upstream's side of an exchange: its response is read, and goes to the client. */
import type { Phase, Stream } from "../../gate/streams.ts";
import { nextTurn, now } from "../../gate/engine/loop.ts";
import { LOOK_MAX } from "../../gate/engine/look.ts";
import { asGateError, GateError } from "../../gate/errors.ts";
import { passCoded } from "./compress/pass_coded.ts";
import { passContent, type Passing } from "./content.ts";
import type { Fault } from "./faults.ts";
import { KIND } from "./field_kinds.ts";
import { bindsConnection, forwardInterim, forwardResponse, OUT, RESPONSE } from "./forward.ts";
import { parseResponse } from "./parse_head.ts";
import { mayAskAgain, mayDialAnother, mayRepeat } from "./retries.ts";
import { type Session, Step } from "./session.ts";
import { failureOf } from "./status.ts";

/** Interim responses to one request. */
const MOST_INTERIMS = 16;

export class ResponseSide {
  readonly #session: Session;
  readonly #step = new Step();
  /** Octets that were there when the parser asked for more. */
  #looked = 0;
  /** Another upstream is dialed for a request that was sent before. */
  #dialing = false;
  /** It came while content was on its way still: what has gone already is noticed in a turn. */
  #early = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** A response is waited for. */
  begin(): void {
    this.#looked = 0;
    this.#dialing = this.#early = false;
  }

  /** Until the head of the final response has gone to the client. `first` reads in place of the stream's next. */
  async respond(first?: () => Step): Promise<void> {
    const exchange = this.#session.exchange, next = () => this.#session.current.next(this.read);
    for (let again = false, read: () => Step | Promise<Step> = first ?? next;; read = next) {
      try {
        if (again) await this.#again();
        const came = read();
        const { what, wrote } = came instanceof Promise ? await came : came;
        if (wrote instanceof Promise) {
          this.#session.awaitRoom(this.#session.client, "client");
          await wrote;
        }
        if (what === "answered") return;
        if (what === "early") await nextTurn();
        if (what === "ahead") await exchange.sent;
        again = what === "again";
        if (again || what === "interim" || what === "early" || what === "ahead") continue;
        throw new GateError(
          "closed",
          "upstream",
          "Cannot get a response: the upstream closed before its end",
        );
      } catch (thrown) {
        const reason = exchange.upFailure?.side === "client" ? exchange.upFailure : asGateError(thrown);
        if (!this.#mayRepeat(reason)) throw reason;
        again = true;
      }
    }
  }

  /** RFC 9112 9.3.1: an idle connection may be closed by the upstream just when a request is sent. */
  #mayRepeat(reason: GateError): boolean {
    const { exchange, stale } = this.#session, { failure, side } = reason;
    if (this.#dialing) return mayDialAnother(this.#session, reason);
    if (stale && !exchange.heard && side === "upstream" && (failure === "closed" || failure === "reset")) {
      return true;
    }
    return mayAskAgain(this.#session, reason);
  }

  /** Sends the request once more: the upstream that had it is of no use any more. */
  async #again(): Promise<void> {
    const session = this.#session, { exchange, conn, gate } = session, routed = exchange.routed!;
    const stale = session.stale && !exchange.heard; // which is no attempt
    session.upstream?.[Symbol.dispose]();
    session.upstream = exchange.upFailure = undefined;
    session.stale = exchange.heard = exchange.sending = false;
    exchange.interims = this.#looked = 0;
    conn.deadline(0);
    if (!stale) exchange.retried++;
    this.#dialing = true;
    session.upstream = stale
      ? await gate.connect(routed, conn, false)
      : await gate.again(routed, conn, exchange.retried, session.until);
    this.#dialing = false;
    session.awaitResponse(true);
    await session.upstream.write(session.repeat!.bytes, session.repeat!.size);
  }

  /** For `next` of the upstream's stream. */
  readonly read = (bytes: Uint8Array, phase: Phase): Step | number => {
    const exchange = this.#session.exchange;
    if (bytes.length > 0) exchange.heard = true;
    else return phase === "open" ? 1 : this.#step.is("cut");
    const answer = parseResponse(RESPONSE, bytes, 0, bytes.length, LOOK_MAX, exchange.asked, this.#looked);
    if (typeof answer === "number") {
      this.#looked = bytes.length;
      return phase === "open" ? answer : this.#step.is("cut");
    }
    this.#looked = 0;
    if (answer !== RESPONSE) throw failureOf(answer as Fault, "upstream", "the response head");
    if (RESPONSE.status < 200 && RESPONSE.body !== "tunnel") return this.#passInterim(bytes);
    if (exchange.sending && RESPONSE.body === "tunnel") return this.#switchBehindContent();
    if (exchange.sending && !this.#early) {
      this.#early = true;
      return this.#step.is("early");
    }
    return this.#passResponse(bytes);
  };

  /** RFC 9110 7.8: nobody changes the protocol in the middle of a message; what of it is on its way would get lost. */
  #switchBehindContent(): Step {
    const { upFailure } = this.#session.exchange;
    if (upFailure) throw upFailure;
    return this.#step.is("ahead");
  }

  /** RFC 9110 15.2: HTTP/1.0 knows none. */
  #passInterim(bytes: Uint8Array): Step {
    const exchange = this.#session.exchange;
    if (++exchange.interims > MOST_INTERIMS) {
      throw new GateError("malformed", "upstream", "Cannot get a response: too many interim ones");
    }
    if (exchange.expectContinue && RESPONSE.status === 100) {
      exchange.expectContinue = false;
      if (exchange.sending) this.#session.conn.patience(this.#session.conn.limits.bodyTimeout);
    }
    if (exchange.minor === 0) return this.#step.is("interim", RESPONSE.used);
    const wrote = this.#session.client.write(OUT, forwardInterim(bytes));
    return this.#step.is("interim", RESPONSE.used, wrote);
  }

  #passResponse(bytes: Uint8Array): Step {
    const exchange = this.#session.exchange, conn = this.#session.conn;
    if (mayRepeat(this.#session, RESPONSE.status)) return this.#step.is("again", RESPONSE.used);
    this.#session.forgetRepeat();
    const stays = exchange.persists && !exchange.sending && exchange.upFailure === undefined &&
      !conn.stopping && this.#session.served + 1 < conn.limits.requestsPerConnection;
    this.#session.own ||= bindsConnection(RESPONSE, bytes, KIND.wwwAuthenticate);
    const size = forwardResponse(bytes, exchange, stays);
    exchange.answered = true;
    exchange.waited = now - exchange.began;
    conn.record.down += size;
    const wrote = this.#session.client.write(OUT, size);
    return this.#step.is("answered", RESPONSE.used + exchange.down.used, wrote);
  }

  async passDown(upstream: Stream): Promise<void> {
    const { idleTimeout, bodyTimeout } = this.#session.conn.limits, { exchange, client } = this.#session;
    const passing: Passing = {
      gate: this.#session.gate,
      pace: { source: idleTimeout, sink: bodyTimeout, least: 0 },
      side: "upstream",
      free: () => !exchange.sending,
      waits: (what) => {
        if (what === "copy") this.#session.conn.deadline(0);
        else if (what === "sink") this.#session.awaitRoom(client, "client");
        else this.#session.awaitContent(upstream);
      },
    };
    this.#session.moving.begin("down");
    try {
      if (exchange.coded) await passCoded(upstream, client, exchange.coded, passing);
      else await passContent(upstream, client, exchange.down, passing);
    } finally {
      this.#session.moving.end("down");
    }
  }
}
