/** Numbers for names: rows of tables in shared memory, which stay a name's own over reloads. */
import { GateError } from "./errors.ts";

export class Numbers {
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];
  #next = 0;

  /** `what` is numbered, for an error's words; there are at most `most`. */
  constructor(readonly what: string, readonly most: number) {}

  /** The number of a name, a new one where it has none. Throws GateError "exhausted". */
  of(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#next++;
    if (number >= this.most) {
      this.#next--;
      throw new GateError(
        "exhausted",
        "gate",
        `Cannot number ${this.what} ${name}: there are ${this.most} already`,
      );
    }
    this.#numbers.set(name, number);
    return number;
  }

  /** Names that are not `used` lose their number, unless something is still counted under it; the numbers. */
  keep(used: ReadonlySet<string>, idle: (number: number) => boolean): readonly number[] {
    const before = this.#free.length;
    for (const [name, number] of this.#numbers) {
      if (used.has(name) || !idle(number)) continue;
      this.#numbers.delete(name);
      this.#free.push(number);
    }
    return this.#free.slice(before);
  }
}
