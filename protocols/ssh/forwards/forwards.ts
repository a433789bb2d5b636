/** Channels and requests of one client that has logged in: told apart, bounded, and given to who serves them. */
import type { GateError } from "../../../gate/errors.ts";
import type { Answer } from "../channels/answers.ts";
import type { Connection, ConnectionEvents } from "../channels/connection.ts";
import type { Opening } from "../channels/opening.ts";
import { UNKNOWN_TYPE } from "../numbers.ts";
import type { Reader } from "../wire.ts";
import { Directs } from "./directs.ts";
import { DIRECT_STREAMLOCAL, DIRECT_TCPIP } from "./messages.ts";
import type { Served } from "../served.ts";
import { Reverse } from "./reverse.ts";

export class Forwards implements ConnectionEvents {
  readonly #served: Served;
  readonly #directs: Directs;
  readonly #reverse: Reverse;

  constructor(served: Served) {
    this.#served = served;
    this.#directs = new Directs(served);
    this.#reverse = new Reverse(served);
  }

  begun(connection: Connection): void {
    this.#reverse.begun(connection);
  }

  opens(opening: Opening): void {
    const { type } = opening;
    if (type === DIRECT_TCPIP || type === DIRECT_STREAMLOCAL) this.#directs.open(opening);
    else opening.refuse(UNKNOWN_TYPE, "no such channels here");
  }

  request(name: string, from: Reader, answer: Answer | undefined): void {
    if (!this.#reverse.request(name, from, answer)) answer?.no();
  }

  crowded(): void {
    this.#served.gate.hit("channels");
  }

  broke(_reason: GateError): void {
    this.#reverse.close();
  }
}
