/** Which of many host patterns covers a name, without trying each: hash look-ups, as many as patterns have labels. */

/** Patterns (`name`, `*.name`, `*`, all in normal form), each with its place in an order. */
export class HostIndex {
  readonly #exact = new Map<string, number>();
  readonly #below = new Map<string, number>();
  /** How many labels the longest wildcard has: no name is looked at further. */
  #depth = 0;
  #all = Infinity;

  /** The place of `*`; Infinity: there is none. */
  get all(): number {
    return this.#all;
  }

  /** Patterns are added in rising order; a pattern that is there already keeps its place. */
  add(pattern: string, order: number): void {
    if (pattern === "*") {
      this.#all = Math.min(this.#all, order);
      return;
    }
    const wildcard = pattern.startsWith("*.");
    const name = wildcard ? pattern.slice(2) : pattern;
    const map = wildcard ? this.#below : this.#exact;
    if (!map.has(name)) map.set(name, order);
    if (wildcard) this.#depth = Math.max(this.#depth, name.split(".").length);
  }

  /** The first pattern that covers the normal name; Infinity: none does. */
  first(name: string): number {
    let first = Math.min(this.#all, this.#exact.get(name) ?? Infinity);
    let dot = name.length;
    for (let labels = 0; labels < this.#depth; labels++) {
      dot = name.lastIndexOf(".", dot - 1);
      if (dot < 1) break;
      first = Math.min(first, this.#below.get(name.slice(dot + 1)) ?? Infinity);
    }
    return first;
  }
}
