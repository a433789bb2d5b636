/**
 * What a client has forwarded to itself (-R): its requests and cancels. Each forward is known by the address and the port,
 * or the path, that the client knows it by.
 */
import { asGateError, GateError } from "../../../gate/errors.ts";
import { MESH_SSH } from "../../../gate/mesh/live_names.ts";
import type { Answer } from "../channels/answers.ts";
import type { Connection } from "../channels/connection.ts";
import { DEBUG } from "../numbers.ts";
import { encoded, type Reader } from "../wire.ts";
import * as messages from "./messages.ts";
import type { Bind } from "./messages.ts";
import type { Served } from "../served.ts";
import { namesAskedFor, whyNoName } from "./names.ts";
import { offerNames } from "./offers.ts";
import { listenAddresses, whyNotListen } from "./permits.ts";
import { notPermitted, wordsOf } from "./refusals.ts";
import { listenAtPath, listenOnPort } from "./sockets.ts";

/** Forwards of one client. */
const MOST = 64;
/** Refusals of one client that its session shows, and that the log tells; more are counted. */
const MOST_TOLD = 8;
const HIGHEST_PORT = 65535;

/** One that a client asks for; `port` as it came, absent for a path. */
interface Asked {
  readonly key: string;
  readonly bind: Bind;
  readonly port: number | undefined;
  readonly answer: Answer | undefined;
}

export class Reverse {
  readonly #served: Served;
  #connection!: Connection;
  readonly #forwards = new Map<string, Disposable>();
  /** Under which the one of port 0 is known. */
  #any: string | undefined;
  #told = 0;

  constructor(served: Served) {
    this.#served = served;
  }

  begun(connection: Connection): void {
    this.#connection = connection;
  }

  /** false: it is no such request, or a broken one. */
  request(name: string, from: Reader, answer: Answer | undefined): boolean {
    const isPath = name === messages.STREAMLOCAL_FORWARD || name === messages.CANCEL_STREAMLOCAL_FORWARD;
    const isCancel = name === messages.CANCEL_TCPIP_FORWARD || name === messages.CANCEL_STREAMLOCAL_FORWARD;
    if (!isPath && !isCancel && name !== messages.TCPIP_FORWARD) return false;
    const bind = messages.readBind(from), port = isPath ? undefined : from.uint32();
    if (!bind || !from.whole || (port ?? 0) > HIGHEST_PORT) return false;
    const asked = { key: keyOf(bind, port), bind, port, answer };
    if (isCancel) this.#cancel(asked);
    else this.#begin(asked);
    return true;
  }

  /** Nobody comes by any of them any more. */
  close(): void {
    for (const forward of this.#forwards.values()) forward[Symbol.dispose]();
    this.#forwards.clear();
  }

  #begin(asked: Asked): void {
    try {
      this.#require(asked);
      this.#forwards.set(asked.key, this.#forward(asked));
      if (asked.port === 0) this.#any = asked.key;
    } catch (thrown) {
      const reason = asGateError(thrown);
      this.#tell(asked, reason);
      this.#refuse(asked, reason);
    }
  }

  /** What is not even asked of the gate is told there: whoever grants names and ports wants to know. */
  #tell({ bind, port }: Asked, reason: GateError): void {
    const { conn, gate } = this.#served;
    if (this.#told === MOST_TOLD) return gate.hit("channels");
    this.#told++;
    const name = port === undefined ? `unix:${bind.text}` : bind.text;
    gate.noName(conn, { name, port: port === 0 ? MESH_SSH : port ?? 0 }, reason);
  }

  /** Throws GateError where it may not begin, whatever it is about. */
  #require({ key, bind, port }: Asked): void {
    const why = whyNotListen(this.#served.grant);
    if (why !== undefined) throw notPermitted(bind.text, why);
    if (port === 0 && this.#any !== undefined || this.#forwards.has(key)) {
      throw notPermitted(bind.text, port === 0 ? "there is one of port 0" : "it is forwarded already");
    }
    if (this.#forwards.size < MOST) return;
    throw new GateError("exhausted", "client", `Cannot forward ${bind.text}: ${MOST} are forwarded`);
  }

  /** It answers, now or later. Throws GateError. */
  #forward(asked: Asked): Disposable {
    const { bind, port, answer } = asked, served = this.#served, connection = this.#connection;
    if (port === undefined) {
      const forward = listenAtPath(
        served,
        connection,
        bind,
        (reason) => this.#lose(asked.key, bind.text, reason),
      );
      answer?.yes();
      return forward;
    }
    const names = namesAskedFor(served.grant, served.gate.domain, bind.text, port);
    if (names) return this.#offer(asked, port, names);
    const addresses = listenAddresses(served.grant, bind.text, port);
    if (addresses.length === 0) throw notPermitted(bind.text, `permitlisten does not have port ${port}`);
    const forward = listenOnPort(served, connection, { bind, port }, addresses);
    answer?.yes();
    return forward;
  }

  #offer(asked: Asked, port: number, names: ReturnType<typeof namesAskedFor> & object): Disposable {
    const { key, bind, answer } = asked;
    const { grant, gate } = this.#served, known = port === 0 ? MESH_SSH : port;
    if (names.length === 0) {
      throw notPermitted(bind.text || "its names", whyNoName(grant, gate.domain, bind.text, port));
    }
    const over = () => {
      if (this.#forwards.get(key) === forward) this.#forget(key);
    };
    const forward = offerNames(this.#served, this.#connection, names, { bind, port: known }, {
      told: (refused) => {
        if (!refused) return answer?.yes(port === 0 ? encoded((to) => to.uint32(known)) : undefined);
        over();
        this.#refuse(asked, refused);
      },
      lost: (name, reason, left) => {
        if (left === 0) over();
        this.#sayLost(name, reason);
      },
    });
    return forward;
  }

  #cancel({ key, answer }: Asked): void {
    const forward = this.#forwards.get(key);
    if (!forward) return answer?.no();
    this.#forget(key);
    forward[Symbol.dispose]();
    answer?.yes();
  }

  #forget(key: string): void {
    this.#forwards.delete(key);
    if (this.#any === key) this.#any = undefined;
  }

  /** It may be asked for again. */
  #lose(key: string, name: string, reason: GateError): void {
    this.#forget(key);
    this.#sayLost(name, reason);
  }

  #sayLost(name: string, reason: GateError): void {
    this.#say(`${JSON.stringify(name)} is not forwarded any more: ${wordsOf(reason)}`);
  }

  /** The answer has no place for a reason (RFC 4254 4). */
  #refuse({ bind, answer }: Asked, reason: GateError): void {
    this.#say(`${JSON.stringify(bind.text)} is not forwarded: ${wordsOf(reason)}`);
    answer?.no();
  }

  /** To who looks, in a session or at what its client prints. */
  #say(words: string): void {
    if (this.#served.refusals.size < MOST_TOLD) this.#served.refusals.add(words);
    this.#served.transport.send(encoded((to) => to.byte(DEBUG).boolean(true).text(words).text("")));
  }
}

/** Port 0 is known as what it was answered with. */
const keyOf = ({ text }: Bind, port: number | undefined): string =>
  port === undefined ? `path ${text}` : `${text}:${port === 0 ? MESH_SSH : port}`;
