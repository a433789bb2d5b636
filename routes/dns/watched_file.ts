/** A small file of the system that may change while we run. */
import { GateError } from "../../gate/errors.ts";

/** An /etc/hosts that blocks the whole world's advertisements has 5 MiB. */
const LARGEST = 8 << 20;

export class WatchedFile<T> {
  #stamp: string | undefined;
  #value: T;

  /** `parse("")` is what a missing file means. */
  constructor(private readonly path: string, private readonly parse: (text: string) => T) {
    this.#value = parse("");
  }

  /** What the file meant when it was last read. */
  get value(): T {
    return this.#value;
  }

  /** Reads the file if it is another than before; whether it was. Rejects with GateError. */
  async refresh(): Promise<boolean> {
    try {
      const stamp = await this.#look();
      if (stamp === this.#stamp) return false;
      this.#value = this.parse(stamp === "" ? "" : await Deno.readTextFile(this.path));
      this.#stamp = stamp;
      return true;
    } catch (thrown) {
      if (thrown instanceof GateError) throw thrown;
      throw new GateError("internal", "gate", `Cannot read ${this.path}: no way to it`, thrown);
    }
  }

  /** Changes with the content; "" where there is no file. */
  async #look(): Promise<string> {
    try {
      const { ino, mtime, size } = await Deno.stat(this.path);
      if (size > LARGEST) {
        throw new GateError(
          "exhausted",
          "gate",
          `Cannot read ${this.path}: ${size} bytes, more than ${LARGEST}`,
        );
      }
      return `${ino} ${mtime?.getTime()} ${size}`;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return "";
      throw thrown;
    }
  }
}
