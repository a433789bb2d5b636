/** Content of an exchange that is on its way: who looks at the connection sees it, its record gets it at the end. */
import type { Draft } from "../../gate/contracts.ts";
import type { Exchange } from "./exchange.ts";

type Direction = "up" | "down";

export class Moving {
  readonly #exchange: Exchange;
  readonly #record: Draft;
  /** What had passed before; undefined: nothing is on its way. */
  #upBefore: number | undefined;
  #downBefore: number | undefined;

  constructor(exchange: Exchange, record: Draft) {
    this.#exchange = exchange;
    this.#record = record;
  }

  get up(): number {
    return this.#upBefore === undefined ? 0 : this.#exchange.up.passed - this.#upBefore;
  }

  get down(): number {
    return this.#downBefore === undefined ? 0 : this.#exchange.moved - this.#downBefore;
  }

  /** What passes in that direction from now on is told here. */
  begin(direction: Direction): void {
    if (direction === "up") this.#upBefore = this.#exchange.up.passed;
    else this.#downBefore = this.#exchange.moved;
  }

  /** It is through, or broke off. */
  end(direction: Direction): void {
    this.#record[direction] += this[direction];
    if (direction === "up") this.#upBefore = undefined;
    else this.#downBefore = undefined;
  }
}
