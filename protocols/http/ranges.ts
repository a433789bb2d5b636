/** Pieces of the input that go on: made once per thread. */
export class Ranges {
  count = 0;
  /** Where each begins, in the bytes that were decoded. */
  readonly at: Int32Array;
  /** Octets of each. */
  readonly size: Int32Array;

  constructor(most: number) {
    this.at = new Int32Array(most);
    this.size = new Int32Array(most);
  }

  /** Adds the octets from `start` to `end`, to the last piece where they follow it. */
  add(start: number, end: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.at[last] + this.size[last] === start) this.size[last] += end - start;
    else if (end > start) {
      this.at[this.count] = start;
      this.size[this.count++] = end - start;
    }
  }
}
