/** Requests of one connection, one after the other: each is routed, sent to an upstream, and answered from there. */
import type { Conn, Gate, Phase, Stream } from "../../gate/contracts.ts";
import { now } from "../../gate/engine/loop.ts";
import { LOOK_MAX } from "../../gate/engine/look.ts";
import { asGateError, atLimit, GateError } from "../../gate/errors.ts";
import { plainAnswer } from "./answer.ts";
import { passContent } from "./content.ts";
import { Exchange } from "./exchange.ts";
import type { Fault } from "./faults.ts";
import { KIND } from "./field_kinds.ts";
import { bindsConnection, forwardInterim, forwardRequest, forwardResponse } from "./forward.ts";
import { OUT, REQUEST, RESPONSE } from "./forward.ts";
import { ForwardedLines } from "./forwarded.ts";
import { parseRequest, parseResponse } from "./parse_head.ts";
import { failureOf, statusOfFailure } from "./status.ts";

/** Interim responses to one request. */
const MOST_INTERIMS = 16;
/** A client's content, bytes/s on average. */
const LEAST_RATE = 1024;

/** What came of a look at the bytes of a client or an upstream. */
type What = "over" | "late" | "cut" | "refused" | "dial" | "sent" | "interim" | "answered";

/** One for each direction: nothing is made for each message. */
class Step {
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

/** Until the client's connection is over, or has become a relay. Rejects with what broke it. */
export async function serveRequests(conn: Conn, gate: Gate): Promise<void> {
  const session = new Session(conn, gate);
  conn.onAbort = (reason) => session.dropUpstream(reason);
  conn.patience(conn.limits.headTimeout);
  try {
    while (await session.serveOne()) conn.idle(conn.limits.keepAlive);
  } finally {
    session.dropUpstream(new GateError("closed", "gate", "Cannot go on: the client is gone"));
  }
}

class Session {
  readonly #conn: Conn;
  readonly #gate: Gate;
  readonly #client: Stream;
  readonly #exchange = new Exchange();
  readonly #lines = new ForwardedLines();
  readonly #asking = new Step();
  readonly #answering = new Step();
  /** Octets that were there when a parser asked for more. */
  #looked = 0;
  #served = 0;
  #dialing: Promise<Stream> | undefined;
  #upstream: Stream | undefined;
  /** The request as it was sent, while it may have to be sent again. */
  #repeat: Uint8Array | undefined;
  #failure: GateError | undefined;
  #fault: Fault | undefined;
  /** Authentication holds for the upstream's connection: nobody else gets it. */
  #own = false;

  constructor(conn: Conn, gate: Gate) {
    this.#conn = conn;
    this.#gate = gate;
    this.#client = conn.stream;
  }

  /** Whether another request may follow on this connection. */
  async serveOne(): Promise<boolean> {
    this.#looked = 0;
    this.#fault = this.#failure = undefined;
    this.#exchange.forget();
    for (;;) {
      const read = this.#client.next(this.#readRequest);
      const { what, wrote } = read instanceof Promise ? await read : read;
      if (what === "sent") return await this.#exchanged(wrote);
      if (what !== "dial") return await this.#ended(what);
      this.#conn.deadline(0); // the gate bounds the dial
      try {
        this.#upstream = await this.#dialing!;
      } catch (thrown) {
        return await this.#refuse(asGateError(thrown), this.#exchange.used);
      }
    }
  }

  get #current(): Stream {
    if (this.#upstream) return this.#upstream;
    throw new GateError("closed", "gate", "Cannot go on: there is no upstream any more");
  }

  /** Nobody waits for it any more. */
  dropUpstream(reason: GateError): void {
    this.#upstream?.abort(reason);
    this.#upstream = undefined;
  }

  #readRequest = (bytes: Uint8Array, phase: Phase): Step | number => {
    if (bytes.length === 0) return phase === "open" ? 1 : this.#asking.is("over");
    const { limits } = this.#conn, most = Math.min(limits.headSize, LOOK_MAX);
    const answer = parseRequest(REQUEST, bytes, 0, bytes.length, most, this.#looked);
    if (typeof answer === "number") {
      if (phase !== "open") return this.#asking.is(phase === "late" ? "late" : "cut");
      if (this.#looked === 0) this.#conn.patience(limits.headTimeout);
      this.#looked = bytes.length;
      return answer;
    }
    this.#looked = 0;
    try {
      if (answer !== REQUEST) return this.#unreadable(answer as Fault);
      return this.#begin(bytes);
    } catch (thrown) {
      this.#failure = asGateError(thrown);
      return this.#asking.is("refused", REQUEST.used);
    }
  };

  #unreadable(fault: Fault): Step {
    this.#fault = fault;
    this.#failure = failureOf(fault, "client", "the request head");
    this.#exchange.persists = false;
    return this.#asking.is("refused");
  }

  /** Finds the way of the request whose head was read; where nothing has to be waited for, it is sent. */
  #begin(bytes: Uint8Array): Step {
    const exchange = this.#exchange, conn = this.#conn;
    if (this.#upstream === undefined) {
      exchange.begin(REQUEST, bytes);
      const content = REQUEST.body === "tunnel" ? "none" : REQUEST.body;
      exchange.up.begin(content, REQUEST.length, true, conn.limits.bodySize);
      if (REQUEST.method === "CONNECT") {
        throw new GateError("unsupported", "client", "Cannot serve CONNECT here");
      }
      conn.record.target ||= exchange.host;
      exchange.routed = this.#gate.route({ target: exchange.target, path: exchange.path }, conn);
      const most = exchange.routed.http.bodySize ?? conn.limits.bodySize ?? Infinity;
      if (REQUEST.body === "length" && REQUEST.length > most) throw tooLarge(most);
      exchange.up.begin(content, REQUEST.length, true, most);
      this.#own ||= bindsConnection(REQUEST, bytes, KIND.authorization);
      const upstream = this.#gate.connect(exchange.routed, conn, true);
      if (upstream instanceof Promise) {
        this.#dialing = upstream;
        return this.#asking.is("dial");
      }
      this.#upstream = upstream;
    }
    return this.#send(bytes, this.#upstream);
  }

  #send(bytes: Uint8Array, upstream: Stream): Step {
    const exchange = this.#exchange, conn = this.#conn;
    const size = forwardRequest(bytes, exchange, conn, this.#lines);
    const request = OUT.subarray(0, size);
    this.#repeat = exchange.repeatable && this.#gate.reused(conn) ? request.slice() : undefined;
    conn.record.up += exchange.used;
    try {
      return this.#asking.is("sent", exchange.used, upstream.write(request));
    } catch (thrown) {
      exchange.upFailure = asGateError(thrown); // the response, or its absence, tells more
      return this.#asking.is("sent", exchange.used);
    }
  }

  /** The request has begun to go upstream. */
  async #exchanged(wrote: void | Promise<void>): Promise<boolean> {
    const exchange = this.#exchange;
    this.#looked = 0;
    if (wrote instanceof Promise || !exchange.up.done) {
      exchange.sending = true;
      void this.#passUp(wrote, this.#upstream!);
    } else this.#awaitResponse();
    try {
      await this.#respond();
      if (exchange.tunnel) return this.#tunnel();
      if (!exchange.down.done) await this.#passDown(this.#current);
    } catch (thrown) {
      return await this.#broken(asGateError(thrown));
    }
    return this.#finish();
  }

  /** The rest of the request's content. Never rejects: who waits for the response hears of it. */
  async #passUp(wrote: void | Promise<void>, upstream: Stream): Promise<void> {
    const exchange = this.#exchange, conn = this.#conn, { bodyTimeout } = conn.limits;
    const before = exchange.up.moved;
    conn.deadline(0);
    try {
      if (wrote instanceof Promise) {
        this.#takes(upstream, "upstream");
        await wrote;
      }
      await passContent(this.#client, upstream, exchange.up, {
        gate: this.#gate,
        pace: { source: bodyTimeout, sink: conn.limits.idleTimeout, least: LEAST_RATE },
        side: "client",
        free: () => this.#client.take !== undefined && upstream.take !== undefined && !exchange.answered,
        waits: (what) => {
          if (exchange.answered) return; // the deadline is the response's
          if (what === "copy") conn.deadline(0); // which has a pace of its own
          else if (what === "sink") this.#takes(upstream, "upstream");
          else if (exchange.expectContinue) this.#awaitResponse();
          else conn.patience(bodyTimeout);
        },
      });
      exchange.sending = false;
      if (!exchange.answered) this.#awaitResponse();
    } catch (thrown) {
      const reason = exchange.upFailure = asGateError(thrown);
      if (reason.side === "client") upstream.abort(reason);
    }
    conn.record.up += exchange.up.moved - before;
  }

  /** Until the head of the final response has gone to the client. */
  async #respond(): Promise<void> {
    const exchange = this.#exchange;
    for (;;) {
      try {
        const read = this.#current.next(this.#readResponse);
        const { what, wrote } = read instanceof Promise ? await read : read;
        if (wrote instanceof Promise) {
          this.#takes(this.#client, "client");
          await wrote;
        }
        if (what === "answered") return;
        if (what === "interim") continue;
        throw new GateError(
          "closed",
          "upstream",
          "Cannot get a response: the upstream closed before its end",
        );
      } catch (thrown) {
        const reason = exchange.upFailure?.side === "client" ? exchange.upFailure : asGateError(thrown);
        if (!this.#mayRepeat(reason)) throw reason;
        await this.#again();
      }
    }
  }

  /** RFC 9112 9.3.1: an idle connection may be closed by the upstream just when a request is sent. */
  #mayRepeat({ failure, side }: GateError): boolean {
    return this.#repeat !== undefined && !this.#exchange.heard && side === "upstream" &&
      (failure === "closed" || failure === "reset");
  }

  async #again(): Promise<void> {
    const request = this.#repeat!, { routed } = this.#exchange;
    this.#repeat = this.#exchange.upFailure = undefined;
    this.#upstream![Symbol.dispose]();
    this.#conn.deadline(0);
    this.#upstream = await this.#gate.connect(routed, this.#conn, false);
    await this.#upstream.write(request);
    this.#looked = 0;
    this.#awaitResponse();
  }

  #readResponse = (bytes: Uint8Array, phase: Phase): Step | number => {
    const exchange = this.#exchange;
    if (bytes.length > 0) exchange.heard = true;
    else return phase === "open" ? 1 : this.#answering.is("cut");
    const answer = parseResponse(RESPONSE, bytes, 0, bytes.length, LOOK_MAX, exchange.asked, this.#looked);
    if (typeof answer === "number") {
      this.#looked = bytes.length;
      return phase === "open" ? answer : this.#answering.is("cut");
    }
    this.#looked = 0;
    if (answer !== RESPONSE) throw failureOf(answer as Fault, "upstream", "the response head");
    if (RESPONSE.status < 200 && RESPONSE.body !== "tunnel") return this.#passInterim(bytes);
    return this.#passResponse(bytes);
  };

  /** RFC 9110 15.2: HTTP/1.0 knows none. */
  #passInterim(bytes: Uint8Array): Step {
    const exchange = this.#exchange;
    if (++exchange.interims > MOST_INTERIMS) {
      throw new GateError("malformed", "upstream", "Cannot get a response: too many interim ones");
    }
    if (exchange.expectContinue && RESPONSE.status === 100) {
      exchange.expectContinue = false;
      if (exchange.sending) this.#conn.patience(this.#conn.limits.bodyTimeout);
    }
    if (exchange.minor === 0) return this.#answering.is("interim", RESPONSE.used);
    const wrote = this.#client.write(OUT.subarray(0, forwardInterim(bytes)));
    return this.#answering.is("interim", RESPONSE.used, wrote);
  }

  #passResponse(bytes: Uint8Array): Step {
    const exchange = this.#exchange, conn = this.#conn;
    const stays = exchange.persists && !exchange.sending && exchange.upFailure === undefined &&
      !conn.stopping && this.#served + 1 < conn.limits.requestsPerConnection;
    this.#own ||= bindsConnection(RESPONSE, bytes, KIND.wwwAuthenticate);
    const size = forwardResponse(bytes, exchange, stays);
    exchange.answered = true;
    exchange.waited = now - exchange.began;
    conn.record.down += size;
    const wrote = this.#client.write(OUT.subarray(0, size));
    return this.#answering.is("answered", RESPONSE.used + exchange.down.used, wrote);
  }

  async #passDown(upstream: Stream): Promise<void> {
    const { idleTimeout, bodyTimeout } = this.#conn.limits, { down } = this.#exchange;
    const before = down.moved;
    try {
      await passContent(upstream, this.#client, down, {
        gate: this.#gate,
        pace: { source: idleTimeout, sink: bodyTimeout, least: 0 },
        side: "upstream",
        free: () => !this.#exchange.sending,
        waits: (what) => {
          if (what === "copy") this.#conn.deadline(0);
          else if (what === "sink") this.#takes(this.#client, "client");
          else this.#conn.deadline(idleTimeout, () => upstream.abort(silent("upstream")));
        },
      });
    } finally {
      this.#conn.record.down += down.moved - before;
    }
  }

  /** From the request's end to the response's head. */
  #awaitResponse(): void {
    const { timeout = this.#conn.limits.idleTimeout } = this.#exchange.routed!.http;
    this.#conn.deadline(timeout, () => this.#upstream?.abort(silent("upstream")));
  }

  /** Bytes wait for this peer. */
  #takes(peer: Stream, side: "client" | "upstream"): void {
    const { bodyTimeout, idleTimeout } = this.#conn.limits;
    this.#conn.deadline(side === "client" ? bodyTimeout : idleTimeout, () => peer.abort(silent(side)));
  }

  #tunnel(): false {
    this.#gate.requested(this.#conn, this.#exchange.record(undefined));
    const upstream = this.#current;
    this.#upstream = undefined;
    this.#conn.onAbort = undefined;
    this.#gate.relay(this.#conn, upstream);
    return false;
  }

  /** The response is through. */
  #finish(): boolean {
    const exchange = this.#exchange, upstream = this.#current;
    this.#upstream = undefined;
    this.#served++;
    if (exchange.sending) {
      upstream.abort(new GateError("closed", "gate", "Cannot go on: the answer was early"));
    } else if (exchange.upstreamStays && !exchange.upFailure) {
      this.#gate.keep(upstream, this.#conn, this.#own);
    } else upstream[Symbol.dispose]();
    this.#gate.requested(this.#conn, exchange.record(undefined));
    return exchange.stays;
  }

  /** What failed after the request began to go upstream. */
  async #broken(reason: GateError): Promise<boolean> {
    this.dropUpstream(reason);
    if (!this.#exchange.answered) return await this.#refuse(reason);
    this.#client.abort(reason);
    this.#gate.requested(this.#conn, this.#exchange.record(reason));
    throw reason;
  }

  /** The client's side came to an end without a request, or with one that goes nowhere. */
  async #ended(what: What): Promise<boolean> {
    if (what === "over") return false;
    if (what === "refused") return await this.#refuse(this.#failure!);
    this.#exchange.persists = false;
    if (what === "cut") {
      throw new GateError("closed", "client", "Cannot read a request: it ended in the middle");
    }
    const reason = new GateError("timeout", "client", "Cannot read a request: its head takes too long");
    this.#fault = undefined;
    return await this.#refuse(atLimit("headTimeout", reason));
  }

  /**
   * The gate's own answer. The connection goes on where it is certain what comes next on it; `unused`: octets of a head
   * that were not taken yet.
   */
  async #refuse(reason: GateError, unused = 0): Promise<boolean> {
    const exchange = this.#exchange, conn = this.#conn;
    this.dropUpstream(reason);
    const stays = exchange.persists && exchange.up.done && !conn.stopping &&
      ++this.#served < conn.limits.requestsPerConnection;
    const status = this.#fault?.fault ?? statusOfFailure(reason, exchange.routed === undefined);
    const answer = plainAnswer(status, reason.failure, { head: exchange.isHead, stays });
    conn.deadline(conn.limits.bodyTimeout);
    exchange.status = 0;
    try {
      if (unused > 0) await this.#client.next(() => ({ used: unused }));
      await this.#client.write(answer);
      exchange.status = status;
      conn.record.down += answer.length;
    } catch {
      // Who would have been answered is gone: the reason stays the one to record.
    }
    if (exchange.method !== "") this.#gate.requested(conn, exchange.record(reason));
    if (stays && exchange.status > 0) return true;
    throw reason;
  }
}

const tooLarge = (most: number) =>
  atLimit(
    "bodySize",
    new GateError("malformed", "client", `Cannot serve a request: more than ${most} bytes`),
  );

const silent = (side: "client" | "upstream") => {
  const what = side === "client"
    ? "it takes nothing of its response"
    : "the upstream does not answer in time";
  const reason = new GateError("timeout", side, `Cannot go on: ${what}`);
  return side === "client" ? atLimit("bodyTimeout", reason) : reason;
};
