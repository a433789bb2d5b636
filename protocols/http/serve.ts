/**
 * Requests of one connection, one after the other: each is routed, sent to an upstream, and answered from there. Where
 * nothing has to be waited for but a head, that is two calls of the loop and no promise; all else is awaited.
 */
import type { Conn, Gate } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { giveWay, promiseResolved } from "../../gate/engine/loop.ts";
import { Socket } from "../../gate/engine/socket.ts";
import { asGateError, atLimit, GateError } from "../../gate/errors.ts";
import { failureAnswer } from "./answer.ts";
import { dateLine } from "./date.ts";
import { type OwnAnswer, writeOwnAnswer } from "./own_answer.ts";
import { BESIDE } from "./proxied.ts";
import { RequestSide } from "./requests.ts";
import { ResponseSide } from "./responses.ts";
import { mayDialAgain } from "./retries.ts";
import { Session, type Step, type What } from "./session.ts";
import { statusOfFailure } from "./status.ts";
import { endsSoon, skipPresent, skipRest } from "./unread.ts";

/** `over` hears once that the client's connection is over, or has become a relay; or what broke it. */
export function serveRequests(
  conn: Conn,
  gate: Gate,
  over: Over = (thrown) => conn.served(thrown),
): void {
  const session = new Session(conn, gate);
  conn.onAbort = (reason) => session.dropUpstream(reason);
  conn.patience(conn.limits.headTimeout);
  new Server(session, over).begin();
}

type Over = (thrown?: unknown) => void;

class Server {
  readonly #session: Session;
  readonly #requests: RequestSide;
  readonly #responses: ResponseSide;
  readonly #over: Over;
  /** Who has the request, and is polled for the response. */
  #asked: Stream | undefined;

  constructor(session: Session, over: Over) {
    this.#session = session;
    this.#over = over;
    this.#requests = new RequestSide(session);
    this.#responses = new ResponseSide(session);
  }

  /** Another request may come. */
  begin(): void {
    this.#requests.begin();
    this.#pollClient();
  }

  readonly #pollClient = (): void => {
    const session = this.#session;
    try {
      const step = session.client.poll(this.#requests.read, this.#pollClient);
      if (step === undefined) return;
      if (step.what === "over") return this.#end();
      if (step.what !== "sent" || step.wrote || !session.exchange.up.done) {
        return void this.#settle(this.#serveOne(step));
      }
      session.awaitResponse();
      this.#responses.begin();
      this.#asked = session.upstream;
      this.#pollUpstream();
    } catch (thrown) {
      this.#end(thrown);
    }
  };

  readonly #pollUpstream = (): void => {
    const exchange = this.#session.exchange;
    let step: Step | undefined;
    try {
      step = this.#asked!.poll(this.#responses.read, this.#pollUpstream);
    } catch (thrown) {
      return void this.#settle(this.#responded(() => {
        throw thrown;
      }));
    }
    if (step === undefined) return;
    const whole = step.what === "answered" && !step.wrote && !exchange.tunnel && exchange.delivered;
    if (whole) this.#complete();
    else void this.#settle(this.#responded(() => step));
  };

  #complete(): void {
    try {
      this.#goOn(this.#finish());
    } catch (thrown) {
      this.#end(thrown);
    }
  }

  /** What had to be awaited goes on without promises. */
  async #settle(served: Promise<boolean>): Promise<void> {
    promiseResolved(); // it may be settled already
    try {
      const stays = await served;
      const turn = stays ? giveWay() : undefined; // the next request may be there already, and the one behind it
      if (turn) await turn;
      this.#goOn(stays);
    } catch (thrown) {
      this.#end(thrown);
    }
  }

  #goOn(stays: boolean): void {
    const { conn } = this.#session;
    if (!stays) {
      this.#closeAtOnce();
      return this.#end();
    }
    conn.idle(conn.limits.keepAlive);
    this.begin();
  }

  #end(thrown?: unknown): void {
    this.#session.dropUpstream(new GateError("closed", "gate", "Cannot go on: the client is gone"));
    this.#over(thrown);
  }

  /** Who asked for the end of the connection sends nothing behind its request: its answer needs no lingering. */
  #closeAtOnce(): void {
    const { client, exchange } = this.#session;
    const asked = exchange.status !== 0 && !exchange.persists && exchange.up.done;
    if (asked && client instanceof Socket && client.isDrained) client[Symbol.dispose]();
  }

  /** From what came of the client's head on; whether another request may follow on this connection. */
  async #serveOne(first: Step): Promise<boolean> {
    const session = this.#session, requests = this.#requests;
    for (let read: Step | Promise<Step> = first;; read = session.client.next(requests.read)) {
      const { what, wrote } = read instanceof Promise ? await read : read;
      if (what === "sent") return await this.#exchanged(wrote);
      if (what === "own") return await this.#answer(requests.own!);
      if (what === "connect") return await this.#handOver();
      if (what !== "dial" && what !== "admit") return await this.#ended(what);
      session.conn.deadline(0); // the gate bounds the dial, and whoever makes a rule wait
      try {
        if (what === "admit") await requests.admitting;
        else session.upstream = await requests.dialing!;
      } catch (thrown) {
        const reason = asGateError(thrown), { exchange } = session;
        if (what === "admit" || !mayDialAgain(session, reason)) {
          return await this.#refuse(reason, exchange.used);
        }
        exchange.retried++;
      }
    }
  }

  /** The request has begun to go upstream. */
  #exchanged(wrote: void | Promise<void>): Promise<boolean> {
    const exchange = this.#session.exchange;
    if (wrote instanceof Promise || !exchange.up.done) {
      exchange.sending = true;
      exchange.sent = this.#requests.passUp(wrote, this.#session.upstream!);
    } else this.#session.awaitResponse();
    this.#responses.begin();
    return this.#responded();
  }

  /** From the upstream's head on, which `read` reads. */
  async #responded(read?: () => Step): Promise<boolean> {
    const exchange = this.#session.exchange;
    try {
      await this.#responses.respond(read);
      if (exchange.tunnel) return this.#tunnel();
      if (!exchange.delivered) await this.#responses.passDown(this.#session.current);
    } catch (thrown) {
      return await this.#broken(asGateError(thrown));
    }
    return this.#finish();
  }

  /** A client of the proxy asks for a tunnel behind its requests. */
  async #handOver(): Promise<false> {
    const { conn, gate } = this.#session;
    await gate.handOver(conn, BESIDE);
    return false;
  }

  #tunnel(): false {
    this.#session.gate.requested(this.#session.conn, this.#session.exchange.record(undefined));
    const upstream = this.#session.current;
    this.#session.upstream = undefined;
    this.#session.conn.onAbort = undefined;
    this.#session.gate.relay(this.#session.conn, upstream, this.#session.exchange);
    return false;
  }

  /** The response is through. */
  #finish(): boolean {
    const exchange = this.#session.exchange, upstream = this.#session.current;
    exchange.coded?.over();
    this.#session.upstream = undefined;
    this.#session.served++;
    if (exchange.sending) {
      upstream.abort(new GateError("closed", "gate", "Cannot go on: the answer was early"));
    } else if (exchange.upstreamStays && !exchange.upFailure) {
      this.#session.gate.keep(upstream, this.#session.conn, this.#session.own);
    } else upstream[Symbol.dispose]();
    this.#session.gate.requested(this.#session.conn, exchange.record(undefined));
    return exchange.stays;
  }

  /** What failed after the request began to go upstream. */
  async #broken(reason: GateError): Promise<boolean> {
    this.#session.exchange.coded?.over();
    this.#session.dropUpstream(reason);
    if (!this.#session.exchange.answered) return await this.#refuse(reason);
    this.#session.client.abort(reason);
    this.#session.gate.requested(this.#session.conn, this.#session.exchange.record(reason));
    throw reason;
  }

  /** The client's side came to an end without a request, or with one that goes nowhere. */
  async #ended(what: What): Promise<boolean> {
    if (what === "over") return false;
    if (what === "refused") return await this.#refuse(this.#requests.failure!, this.#session.exchange.used);
    this.#session.exchange.persists = false;
    if (what === "cut") {
      throw new GateError("closed", "client", "Cannot read a request: it ended in the middle");
    }
    const reason = new GateError("timeout", "client", "Cannot read a request: its head takes too long");
    return await this.#refuse(atLimit("headTimeout", reason));
  }

  /**
   * The gate's own answer. The connection goes on where it is certain what comes next on it; `unused`: octets of a head
   * that were not taken yet.
   */
  async #refuse(reason: GateError, unused = 0): Promise<boolean> {
    const { exchange } = this.#session;
    this.#session.dropUpstream(reason);
    const status = this.#requests.fault?.fault ?? statusOfFailure(reason, exchange.routed === undefined);
    // Who would have been answered may be gone: the reason stays the one to record.
    const answer = failureAnswer(status, reason.failure, reason);
    if (await this.#write(answer, unused, reason).catch(() => false)) return true;
    throw reason;
  }

  /** What a rule of the route says, in place of an upstream. */
  #answer(answer: OwnAnswer): Promise<boolean> {
    return this.#write(answer, this.#session.exchange.used);
  }

  /** Whether the connection goes on. Rejects where nobody takes it. */
  async #write(answer: OwnAnswer, unused: number, reason?: GateError): Promise<boolean> {
    const { exchange, conn, client, gate } = this.#session;
    conn.deadline(conn.limits.bodyTimeout);
    exchange.status = 0;
    let stays = false;
    try {
      if (unused > 0) conn.record.up += await skipPresent(client, unused, exchange.up);
      stays = exchange.persists && endsSoon(exchange) && !conn.stopping &&
        ++this.#session.served < conn.limits.requestsPerConnection;
      const { isHead: head, minor } = exchange, fields = [dateLine(), ...answer.fields];
      const bytes = writeOwnAnswer({ ...answer, fields }, { head, stays, minor });
      await client.write(bytes);
      exchange.status = answer.status;
      conn.record.down += bytes.length;
    } finally { // its line does not wait for content that nobody needs
      if (exchange.method !== "") gate.requested(conn, exchange.record(reason));
    }
    return stays && await this.#skipRest();
  }

  /** Throws the rest of the request's content away; whether all of it came. */
  async #skipRest(): Promise<boolean> {
    const { exchange: { up }, conn, client, gate } = this.#session;
    if (up.done) return true;
    conn.patience(conn.limits.bodyTimeout);
    const before = up.moved, all = await skipRest(client, up, () => gate.hit("bodyTimeout"));
    conn.record.up += up.moved - before;
    return all;
  }
}
