/**
 * Tells when the configuration on disk has changed. Events of inotify only wake it: what changed, and whether it is
 * over, it sees by looking. The runtime drops events (beyond 16, and of a link that leads out of its directory), and
 * where the disk is another machine's there are none. It has one watch for a path of the process, so nothing else may
 * watch the same directories: of one that was replaced there would be no events.
 */
import type { ConfigurationSource } from "./source.ts";
import { inTime } from "../in_time.ts";
import { type Trace, trace } from "./trace.ts";

export interface Watching {
  /** What is on disk is not what the gate has read last. May come once too often, never once too few. */
  readonly changed: () => void;
  /** Watching goes on, and is slower, or waits. Each comes once. */
  readonly warn: (message: string) => void;
}

export interface WatchTimes {
  /** Nothing is told before it stayed as it is for this long, ms: half a policy may be valid, and must not hold. */
  readonly quiet: number;
  /** Without an event it is looked at this often, ms. */
  readonly poll: number;
}

const TIMES: WatchTimes = { quiet: 100, poll: 10_000 };
/** A configuration that changes all the time is told of after this long, ms. */
const RESTLESS = 10_000;
/** A look that takes longer is not waited for at the end, ms. */
const LOOK_TIME = 1000;

export class ConfigurationWatch implements AsyncDisposable {
  readonly #source: ConfigurationSource;
  readonly #watching: Watching;
  readonly #times: WatchTimes;
  readonly #running: Promise<void>;
  readonly #warned = new Set<string>();
  #watcher: Deno.FsWatcher | undefined;
  #listening: Promise<void> = Promise.resolve();
  /** The directories that the watcher watches, and the trace that was compared last. */
  #armed = "";
  #stamp: string | undefined;
  /** An event came since the last look began. */
  #woken = false;
  #closed = false;
  readonly #idle = new Pause();
  readonly #quiet = new Pause();

  private constructor(source: ConfigurationSource, watching: Watching, times: WatchTimes) {
    this.#source = source;
    this.#watching = watching;
    this.#times = times;
    this.#running = this.#run();
  }

  /** Watches from now on, and what changed since source.read() too. Nothing is told after it is disposed. */
  static start(source: ConfigurationSource, watching: Watching, times = TIMES): ConfigurationWatch {
    return new ConfigurationWatch(source, watching, times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#idle.end();
    this.#quiet.end();
    this.#disarm();
    const ended = Promise.all([this.#running, this.#listening]);
    await inTime(ended, LOOK_TIME); // a disk that hangs must not hold who stops
    this.#disarm();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#woken = false;
      await this.#check();
      if (!this.#woken && !this.#closed) await this.#idle.take(this.#times.poll);
    }
  }

  async #check(): Promise<void> {
    const seen = await this.#settled();
    if (!seen) return;
    if (await this.#arm(seen)) {
      this.#woken = true; // between the look and the watch something may have happened: look again
      return;
    }
    if (seen.stamp === this.#stamp) return;
    this.#stamp = seen.stamp;
    if (await this.#source.differs() && !this.#closed) this.#watching.changed();
  }

  /** The trace once it stayed the same; undefined: it is over. */
  async #settled(): Promise<Trace | undefined> {
    const since = performance.now();
    for (let seen = await trace(this.#source.watched); !this.#closed;) {
      await this.#quiet.take(this.#times.quiet);
      const now = await trace(this.#source.watched);
      if (now.stamp === seen.stamp && keyOf(now) === keyOf(seen)) return this.#closed ? undefined : now;
      seen = now;
      if (performance.now() - since > RESTLESS) {
        this.#warnOnce("the configuration on disk changes all the time: it is read once it stays as it is");
      }
    }
    return undefined;
  }

  /** Whether other directories are watched now. Without inotify there is the poll, which tries again. */
  async #arm(seen: Trace): Promise<boolean> {
    const key = keyOf(seen);
    if (key === this.#armed || this.#closed) return false;
    this.#disarm();
    await this.#listening;
    try {
      const watcher = Deno.watchFs([...seen.directories.keys()], { recursive: false });
      this.#watcher = watcher;
      this.#armed = key;
      this.#listening = this.#listen(watcher, seen.directories);
      return true;
    } catch (fault) {
      if (!(fault instanceof Deno.errors.NotFound)) this.#warnPolling(fault);
      return false;
    }
  }

  /** Own reads would wake it again and again if they counted. */
  async #listen(watcher: Deno.FsWatcher, directories: ReadonlyMap<string, string>): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue;
        // A directory that is gone is watched no more, even if the one in its place has the same number.
        if (kind === "remove" && paths.some((path) => directories.has(path))) this.#armed = "";
        this.#wake();
      }
    } catch (fault) {
      this.#armed = "";
      this.#warnPolling(fault);
    }
  }

  #disarm(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#armed = "";
  }

  #wake(): void {
    this.#woken = true;
    this.#idle.end();
  }

  #warnPolling(fault: unknown): void {
    const seconds = this.#times.poll / 1000, why = fault instanceof Error ? fault.message : String(fault);
    this.#warnOnce(
      `Cannot watch the configuration on disk: ${why}; it is looked at every ${seconds} s`,
    );
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#watching.warn(message);
  }
}

const keyOf = ({ directories }: Trace): string => [...directories].flat().join("\n");

/** A wait that may end early. */
class Pause {
  #end: (() => void) | undefined;

  take(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.#end?.();
  }
}
