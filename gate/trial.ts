/** A configuration on trial: what it is, what held before it, and the clock that ends it. */
import type { Loaded } from "./config/load.ts";
import { absolute } from "./config/source.ts";
import type { Trial } from "./operations.ts";

/** ms until what failed at the end is tried again; each time twice as long, up to the second. */
const FIRST_PAUSE = 1000, LONGEST_PAUSE = 30_000;

/** Disposed, it is decided: its clock stands still. */
export class RunningTrial implements Disposable {
  readonly id: string = crypto.randomUUID();
  readonly #until: number;
  readonly #end: (pause: number) => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #decided = false;

  /**
   * It lasts `ms` from now on. Then `end` is called, and again after a pause for as long as that did not dispose this; it
   * is told the ms of the pause that would follow, and never rejects. `before` has one file.
   */
  constructor(
    readonly loaded: Loaded,
    readonly before: Loaded,
    ms: number,
    end: (pause: number) => Promise<void>,
  ) {
    this.#until = performance.now() + ms;
    this.#end = end;
    this.#wait(ms, FIRST_PAUSE);
  }

  get text(): string {
    return this.loaded.texts[0].text;
  }

  /** As an operator sees it. */
  get shown(): Trial {
    const left = Math.max(0, this.#until - performance.now());
    return { id: this.id, file: absolute(this.before.files[0]), text: this.text, left };
  }

  [Symbol.dispose](): void {
    this.#decided = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number, pause: number): void {
    this.#timer = setTimeout(() => void this.#over(pause), ms);
  }

  async #over(pause: number): Promise<void> {
    await this.#end(pause);
    if (!this.#decided) this.#wait(pause, Math.min(2 * pause, LONGEST_PAUSE));
  }
}
