/** The client's side of an exchange: its request is read, finds its way, and goes upstream. */
import type { Phase, Stream } from "../../gate/streams.ts";
import { LOOK_MAX } from "../../gate/engine/look.ts";
import { asGateError, atLimit, GateError, telling } from "../../gate/errors.ts";
import { challengeAnswer } from "./acme_challenge.ts";
import { toldClient } from "./client_address.ts";
import { passContent } from "./content.ts";
import type { Fault } from "./faults.ts";
import { KIND } from "./field_kinds.ts";
import { bindsConnection, forwardRequest, OUT, REQUEST } from "./forward.ts";
import { ForwardedLines } from "./forwarded.ts";
import { keepRequest } from "./kept_requests.ts";
import { requireHop } from "./max_forwards.ts";
import type { Mirror } from "./mirror.ts";
import type { OwnAnswer } from "./own_answer.ts";
import { parseRequest } from "./parse_head.ts";
import { proxies, PROXY_RULES, UNJUDGED } from "./proxied.ts";
import { RequestAsked } from "./request_asked.ts";
import { type Incoming, rulesOf } from "./rules.ts";
import { type Session, Step } from "./session.ts";
import { failureOf } from "./status.ts";

/** A client's content, bytes/s on average. */
const LEAST_RATE = 1024;

export class RequestSide {
  /** What was thrown while a request was read, and the fault in its head where it was that. */
  failure: GateError | undefined;
  fault: Fault | undefined;
  /** What a rule of the route waits for, and what the gate answers itself. */
  admitting: Promise<void> | undefined;
  own: OwnAnswer | undefined;
  /** The upstream that is waited for. */
  dialing: Promise<Stream> | undefined;
  readonly #session: Session;
  readonly #lines = new ForwardedLines();
  readonly #step = new Step();
  readonly #incoming: { bytes: Uint8Array } & Incoming;
  readonly #asked = new RequestAsked();
  /** Octets that were there when the parser asked for more. */
  #looked = 0;

  constructor(session: Session) {
    this.#session = session;
    const { exchange, conn, gate } = session;
    this.#incoming = { head: REQUEST, bytes: OUT, exchange, conn, gate };
  }

  /** Another request may come. */
  begin(): void {
    this.#looked = 0;
    this.failure = this.fault = this.own = undefined;
    this.#incoming.bytes = OUT;
    this.#asked.forget();
    this.#session.exchange.forget();
  }

  /** For `next` of the client's stream. */
  readonly read = (bytes: Uint8Array, phase: Phase): Step | number => {
    if (bytes.length === 0) return phase === "open" ? 1 : this.#step.is("over");
    const { limits } = this.#session.conn, most = Math.min(limits.headSize, LOOK_MAX);
    const answer = parseRequest(REQUEST, bytes, 0, bytes.length, most, this.#looked);
    if (typeof answer === "number") {
      if (phase !== "open") return this.#step.is(phase === "late" ? "late" : "cut");
      if (this.#looked === 0) this.#session.conn.patience(limits.headTimeout);
      this.#looked = bytes.length;
      return answer;
    }
    this.#looked = 0;
    try {
      if (answer !== REQUEST) return this.#unreadable(answer as Fault);
      return this.#begin(bytes);
    } catch (thrown) {
      this.failure = asGateError(thrown);
      return this.#step.is("refused");
    }
  };

  #unreadable(fault: Fault): Step {
    this.fault = fault;
    this.failure = failureOf(fault, "client", "the request head");
    this.#session.exchange.persists = false;
    return this.#step.is("refused");
  }

  /**
   * Finds the way of the request whose head was read; where nothing has to be waited for, it is sent. Else it comes here
   * again, and the head has been read again.
   */
  #begin(bytes: Uint8Array): Step {
    const session = this.#session, { exchange, conn, gate } = session;
    this.#incoming.bytes = bytes;
    if (session.upstream) return this.#send(bytes, session.upstream);
    if (REQUEST.method === "CONNECT" && proxies(conn)) return this.#step.is("connect", REQUEST.start);
    if (gate.challenged && !exchange.routed && this.#isChallenge(bytes)) return this.#step.is("own");
    if (!exchange.routed) this.#route(bytes);
    if (this.#waits()) return this.#step.is("admit");
    this.own ??= exchange.rules.answer?.(this.#incoming);
    if (this.own) return this.#step.is("own");
    requireHop(REQUEST, bytes);
    session.own ||= bindsConnection(REQUEST, bytes, KIND.authorization);
    const upstream = exchange.retried === 0
      ? gate.connect(exchange.routed, conn, true)
      : gate.again(exchange.routed!, conn, exchange.retried, session.until);
    if (upstream instanceof Promise) {
      this.dialing = upstream;
      return this.#step.is("dial");
    }
    return this.#send(bytes, session.upstream = upstream);
  }

  /** An authority that certifies names asks without a login, in clear, and whatever routes there are. */
  #isChallenge(bytes: Uint8Array): boolean {
    const { exchange, conn, gate } = this.#session;
    if (REQUEST.method !== "GET" || REQUEST.body !== "none") return false;
    exchange.begin(REQUEST, bytes);
    const text = gate.challenge(exchange.path, conn);
    if (text === undefined) return false;
    exchange.up.begin("none", 0, true);
    conn.record.target ||= exchange.host;
    this.own = challengeAnswer(text);
    return true;
  }

  #route(bytes: Uint8Array): void {
    const { exchange, conn, gate } = this.#session;
    exchange.begin(REQUEST, bytes);
    const content = REQUEST.body === "tunnel" ? "none" : REQUEST.body;
    exchange.up.begin(content, REQUEST.length, true, conn.limits.bodySize);
    if (REQUEST.method === "CONNECT") {
      throw new GateError("unsupported", "client", "Cannot serve CONNECT: it is another protocol here");
    }
    conn.record.target ||= exchange.host;
    exchange.client = toldClient(REQUEST, bytes, conn);
    exchange.proxied = REQUEST.form === "absolute" && proxies(conn);
    const routed = exchange.routed = exchange.proxied
      ? UNJUDGED
      : gate.route(this.#asked.of(exchange, bytes), conn);
    exchange.rules = exchange.proxied ? PROXY_RULES : rulesOf(routed.http);
    const most = routed.http.bodySize ?? conn.limits.bodySize ?? Infinity;
    if (REQUEST.body === "length" && REQUEST.length > most) throw tooLarge(most);
    exchange.up.begin(content, REQUEST.length, true, most, exchange.rules.goneOfRequest);
  }

  /** Whether a rule of the route has to be waited for; one may answer. Throws GateError where one refuses. */
  #waits(): boolean {
    const { exchange } = this.#session, { admit } = exchange.rules;
    while (!this.own && exchange.admitted < admit.length) {
      const said = admit[exchange.admitted++](this.#incoming) ?? undefined;
      if (said instanceof Promise) {
        this.admitting = said;
        return true;
      }
      this.own = said;
    }
    return false;
  }

  #send(bytes: Uint8Array, upstream: Stream): Step {
    const session = this.#session, { exchange, conn, gate } = session;
    const size = forwardRequest(bytes, this.#incoming, this.#lines);
    session.stale = exchange.repeatable && gate.reused(conn);
    const whole = exchange.routed!.http.retries !== undefined && exchange.idempotent && exchange.up.done;
    session.repeat = session.stale || whole ? keepRequest(OUT, size) : undefined;
    conn.record.up += exchange.used;
    let wrote: void | Promise<void> = undefined;
    try {
      wrote = upstream.write(OUT, size);
    } catch (thrown) {
      exchange.upFailure = asGateError(thrown); // the response, or its absence, tells more
    }
    if (exchange.rules.mirror && !REQUEST.upgrade) this.#copy(OUT.subarray(0, size), exchange.rules.mirror);
    return this.#step.is("sent", exchange.used, wrote);
  }

  #copy(request: Uint8Array, mirror: Mirror): void {
    const { exchange, gate } = this.#session, copy = mirror.begin(request, exchange, gate);
    if (exchange.up.done) copy.end();
    else exchange.copy = copy;
  }

  /** The rest of the request's content. Never rejects: who waits for the response hears of it. */
  async passUp(wrote: void | Promise<void>, upstream: Stream): Promise<void> {
    const exchange = this.#session.exchange, conn = this.#session.conn, { bodyTimeout } = conn.limits;
    const { copy } = exchange, { moving } = this.#session;
    exchange.copy = undefined;
    conn.deadline(0);
    moving.begin("up");
    try {
      if (wrote instanceof Promise) {
        this.#session.awaitRoom(upstream, "upstream");
        await wrote;
      }
      await passContent(this.#session.client, upstream, exchange.up, {
        gate: this.#session.gate,
        pace: { source: bodyTimeout, sink: conn.limits.idleTimeout, least: LEAST_RATE },
        side: "client",
        free: () => upstream.take !== undefined && !exchange.answered && (!copy || copy.dropped),
        seen: copy && ((bytes) => copy.add(bytes)),
        waits: (what) => {
          if (exchange.answered) return; // the deadline is the response's
          if (what === "copy") conn.deadline(0); // which has a pace of its own
          else if (what === "sink") this.#session.awaitRoom(upstream, "upstream");
          else if (exchange.expectContinue) this.#session.awaitResponse();
          else conn.patience(bodyTimeout);
        },
      });
      copy?.end();
      const wasSending = exchange.sending;
      exchange.sending = false;
      if (wasSending && !exchange.answered) this.#session.awaitResponse();
    } catch (thrown) {
      const reason = asGateError(thrown);
      copy?.drop();
      if (exchange.sending) exchange.upFailure = reason; // else it is sent to another upstream already
      if (reason.side === "client") upstream.abort(reason);
    }
    moving.end("up");
  }
}

const tooLarge = (most: number) =>
  telling(
    `at most ${most} bytes`,
    atLimit(
      "bodySize",
      new GateError("malformed", "client", `Cannot serve a request: more than ${most} bytes`),
    ),
  );
