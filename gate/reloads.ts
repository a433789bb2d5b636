/**
 * Configurations one after the other: read again, validated whole, applied by difference, or refused with everything
 * as it was; on trial until they are confirmed. One at a time.
 */
import type { ConfigurationText } from "./config/files.ts";
import { ConfigurationError, type Loaded } from "./config/load.ts";
import { causeChain, GateError } from "./errors.ts";
import type { Level, Message } from "./log.ts";
import type { ReloadOutcome, Trial } from "./operations.ts";

export interface ReloadsOptions {
  /** What holds at the start. */
  readonly current: Loaded;
  /** Reads and validates what is on disk. Throws ConfigurationError. */
  readonly read: () => Promise<Loaded>;
  /** Validates these texts. Throws ConfigurationError. */
  readonly parse: (texts: readonly ConfigurationText[]) => Promise<Loaded>;
  /** Makes it hold; what changed, in sentences. Throws GateError: then nothing changed. */
  readonly apply: (loaded: Loaded) => Promise<{ changes: readonly string[]; warnings: readonly string[] }>;
  /** It worked: kept for a start with --last-good. */
  readonly keep: (loaded: Loaded) => Promise<void>;
  readonly log: (message: Message) => void;
  /** Told around each attempt, for the service manager. */
  readonly busy: (reloading: boolean) => void;
}

/** How many attempts ended how, and the last one of them. */
export interface ReloadHistory {
  readonly counts: Readonly<Record<ReloadOutcome["result"], number>>;
  /** Since the epoch, ms. */
  readonly last?: { readonly at: number; readonly result: ReloadOutcome["result"] };
}

/** A trial lasts at least and at most, ms. */
const SHORTEST_TRIAL = 1000, LONGEST_TRIAL = 24 * 3600_000;
/** How the text of a trial is called in its errors. */
const TRIAL_FILE = "NEW";

interface Running {
  readonly id: string;
  readonly file: string;
  readonly loaded: Loaded;
  readonly before: Loaded;
  readonly until: number;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #counts = { applied: 0, unchanged: 0, refused: 0 };
  #last: ReloadHistory["last"];
  #current: Loaded;
  #running: Running | undefined;
  /** The attempt under way, and those behind it. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#current = options.current;
  }

  get current(): Loaded {
    return this.#current;
  }

  get history(): ReloadHistory {
    return { counts: { ...this.#counts }, last: this.#last };
  }

  get trial(): Trial | undefined {
    if (!this.#running) return undefined;
    const { id, file, loaded, until } = this.#running;
    return { id, file, text: loaded.texts[0].text, left: Math.max(0, until - performance.now()) };
  }

  /** What holds since the start is known to work. */
  started(): Promise<void> {
    return this.#keep(this.#current);
  }

  /** What is on disk holds from now on; a trial is over. */
  reload(): Promise<ReloadOutcome> {
    return this.#next(async () => {
      const loaded = await this.#options.read();
      if (sameTexts(loaded, this.#current)) {
        this.#endTrial();
        return UNCHANGED;
      }
      const { changes, warnings } = await this.#options.apply(loaded);
      this.#endTrial();
      this.#current = loaded;
      await this.#keep(loaded);
      return { result: changes.length > 0 ? "applied" : "unchanged", changes, warnings, problems: [] };
    });
  }

  /** `text` holds for `ms`: then what held before does again, unless it was confirmed. */
  try(text: string, ms: number): Promise<ReloadOutcome & { readonly trial?: Trial }> {
    return this.#next(async () => {
      const file = this.#onlyFile();
      const time = Math.min(LONGEST_TRIAL, Math.max(SHORTEST_TRIAL, ms));
      const loaded = await this.#options.parse([{ file: TRIAL_FILE, text }]);
      const before = this.#running?.before ?? this.#current;
      const { changes, warnings } = await this.#options.apply(loaded);
      this.#endTrial();
      this.#current = loaded;
      this.#running = {
        id: crypto.randomUUID(),
        file,
        loaded,
        before,
        until: performance.now() + time,
        timer: setTimeout(() => void this.#timeOver(), time),
      };
      this.#say("info", `a configuration is on trial for ${Math.round(time / 1000)} s`);
      return { result: "applied", changes, warnings, problems: [], trial: this.trial };
    });
  }

  /** The trial of that id holds for good; false: there is none. */
  confirm(id: string): Promise<boolean> {
    return this.#alone(async () => {
      if (this.#running?.id !== id) return false;
      const { file, loaded } = this.#running;
      this.#endTrial();
      this.#current = { ...loaded, files: [file] };
      await this.#keep(this.#current);
      this.#say("info", "the configuration on trial is confirmed");
      return true;
    });
  }

  /** No attempt begins after this; resolves when the last one is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endTrial();
    await this.#queue;
  }

  /** Its time is over, and nobody confirmed it. */
  #timeOver(): Promise<unknown> {
    return this.#next(async () => {
      if (!this.#running || performance.now() < this.#running.until - 1) return UNCHANGED; // confirmed meanwhile
      const { before } = this.#running;
      this.#running = undefined;
      this.#say("warn", "nobody confirmed the configuration on trial: the one before holds again");
      const { changes, warnings } = await this.#options.apply(before);
      this.#current = before;
      return { result: "applied", changes, warnings, problems: [] };
    });
  }

  #endTrial(): void {
    clearTimeout(this.#running?.timer);
    this.#running = undefined;
  }

  /** A gate that cannot write serves all the same. */
  async #keep(loaded: Loaded): Promise<void> {
    try {
      await this.#options.keep(loaded);
    } catch (thrown) {
      this.#say("warn", `${causeChain(thrown)}; a start with --last-good will not find it`);
    }
  }

  /** One attempt after the other; counted, logged, and refused in words. */
  #next<T extends ReloadOutcome>(attempt: () => Promise<T>): Promise<T | ReloadOutcome> {
    return this.#alone(async () => {
      this.#options.busy(true);
      let outcome: T | ReloadOutcome;
      try {
        if (this.#stopped) throw new GateError("closed", "gate", "Cannot reload: the gate stops");
        outcome = await attempt();
      } catch (thrown) {
        outcome = refused(thrown);
      } finally {
        this.#options.busy(false);
      }
      this.#tell(outcome);
      return outcome;
    });
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(act);
    this.#queue = done.catch(() => {});
    return done;
  }

  #tell({ result, changes, warnings, problems }: ReloadOutcome): void {
    this.#counts[result]++;
    this.#last = { at: Date.now(), result };
    for (const problem of problems) this.#say("error", `configuration refused: ${problem}`);
    for (const warning of warnings) this.#say("warn", warning);
    for (const change of changes) this.#say("info", `configuration applied: ${change}`);
    if (result === "unchanged") this.#say("info", "configuration read again: nothing changed");
  }

  #say(level: Level, text: string): void {
    this.#options.log({ level, event: "reload", text });
  }

  /** A trial takes the place of one file when it is confirmed. */
  #onlyFile(): string {
    const { files } = this.#running?.before ?? this.#current;
    if (files.length === 1) return files[0];
    throw new GateError(
      "unsupported",
      "gate",
      `Cannot try a configuration: ${
        files.length === 0 ? "the built-in one has no file" : "it is read from several files"
      } whose place it could take`,
    );
  }
}

const UNCHANGED: ReloadOutcome = { result: "unchanged", changes: [], warnings: [], problems: [] };

function refused(thrown: unknown): ReloadOutcome {
  const problems = thrown instanceof ConfigurationError ? thrown.message.split("\n") : [causeChain(thrown)];
  return { result: "refused", changes: [], warnings: [], problems };
}

const sameTexts = (a: Loaded, b: Loaded): boolean =>
  a.texts.length === b.texts.length &&
  a.texts.every(({ file, text }, i) => file === b.texts[i].file && text === b.texts[i].text);
