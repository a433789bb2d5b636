/** Shows systemd that the gate lives (sd_watchdog_enabled(3)), for as long as its engines turn. */

/** It is looked whether that is due this often, ms: engines that are silent for a moment cost no more than that. */
const LOOK_INTERVAL = 1000;
/** A short time is looked at so many times. */
const LOOKS = 5;

export interface Watched {
  /** Whether the engines turn. */
  healthy(): boolean;
  /** Tells systemd. */
  alive(): void;
}

export class Watchdog implements Disposable {
  readonly #interval: number;
  readonly #watched: Watched;
  readonly #timer: ReturnType<typeof setInterval>;
  #due = 0;

  /** `interval` in ms: half of what systemd waits. */
  constructor(interval: number, watched: Watched) {
    this.#interval = interval;
    this.#watched = watched;
    this.#timer = setInterval(() => this.look(), Math.min(LOOK_INTERVAL, interval / LOOKS));
  }

  /** Tells it where that is due and true; where it is due and not true yet, the next look tells it. */
  look(now = performance.now()): void {
    if (now < this.#due || !this.#watched.healthy()) return;
    this.#due = now + this.#interval;
    this.#watched.alive();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
