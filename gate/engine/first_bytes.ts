/** Looks at the first bytes of a raw connection until a parser decides, without a promise while they are waited for. */
import type { Phase } from "../streams.ts";
import type { GateError } from "../errors.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import type { Socket } from "./socket.ts";

export class FirstBytes<T extends object> implements Mover {
  readonly #socket: Socket;
  readonly #parse: (head: Uint8Array, phase: Phase) => T | number;
  readonly #decided: (answer: T) => void;
  readonly #failed: (thrown: unknown) => void;
  #need = 1;

  constructor(
    socket: Socket,
    parse: (head: Uint8Array, phase: Phase) => T | number,
    decided: (answer: T) => void,
    failed: (thrown: unknown) => void,
  ) {
    this.#socket = socket;
    this.#parse = parse;
    this.#decided = decided;
    this.#failed = failed;
    socket.mover = this;
    this.moved(); // behind a PROXY header the first bytes may be here already
  }

  moved(): void {
    const socket = this.#socket;
    if (!socket.readable && !socket.isLate && socket.held.length === 0) return;
    let answer: T | number;
    try {
      socket.readAhead();
      answer = socket.lookNow(this.#parse, this.#need);
    } catch (thrown) {
      socket.mover = undefined;
      return this.#failed(thrown);
    }
    if (typeof answer === "number") {
      this.#need = answer;
      return;
    }
    socket.mover = undefined;
    this.#decided(answer);
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#failed(reason);
  }
}
