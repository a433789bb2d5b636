/**
 * Configurations one after the other: read again, validated whole, applied by difference, or refused with everything
 * as it was; on trial until they are confirmed. One at a time.
 */
import type { ConfigurationText } from "./config/files.ts";
import { sameTexts } from "./config/files.ts";
import { ConfigurationError, type Loaded } from "./config/load.ts";
import { sameReferences } from "./config/references.ts";
import { causeChain, GateError } from "./errors.ts";
import type { Level, Message } from "./log.ts";
import { type Confirmation, LONGEST_TRIAL, type ReloadOutcome, type Trial } from "./operations.ts";
import { RunningTrial } from "./trial.ts";

export interface ReloadsOptions {
  /** What holds at the start. */
  readonly current: Loaded;
  /** Reads and validates what is on disk. Throws ConfigurationError. */
  readonly read: () => Promise<Loaded>;
  /** Whether nothing is on disk but what was read last, or these texts: nobody changed it unseen. */
  readonly isKnown: (texts: readonly ConfigurationText[]) => Promise<boolean>;
  /** Validates these texts. Throws ConfigurationError. */
  readonly parse: (texts: readonly ConfigurationText[]) => Promise<Loaded>;
  /** Makes it hold; what changed, in sentences. Throws GateError: then nothing changed. */
  readonly apply: (loaded: Loaded) => Promise<{ changes: readonly string[]; warnings: readonly string[] }>;
  /** It worked: kept for a start with --last-good. */
  readonly keep: (loaded: Loaded) => Promise<void>;
  readonly log: (message: Message) => void;
  /** Told around each attempt, for the service manager; no more once it stops. */
  readonly busy: (reloading: boolean) => void;
}

/** What became of the attempts, and of what is on disk. */
export interface ReloadHistory {
  /** Trials too, but not their ends. */
  readonly counts: Readonly<Record<ReloadOutcome["result"], number>>;
  /** When what is on disk was read last (since the epoch, ms), and the first reasons why it was refused. */
  readonly last?: {
    readonly at: number;
    readonly result: ReloadOutcome["result"];
    readonly problems: readonly string[];
  };
  /** Whether what is on disk can hold, as far as the gate knows: trials change nothing there. */
  readonly diskHolds: boolean;
  /** What holds is what worked last, from a start with --last-good. */
  readonly lastGood: boolean;
}

/** ms. */
const SHORTEST_TRIAL = 1000;
/** Reasons of a refusal that `/status` tells; the log has all. */
const MOST_TOLD = 10;
/** What stands for the file in places of a trial's text: in its errors, and in the routes of connections meanwhile. */
const TRIAL_FILE = "(trial)";

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #counts = { applied: 0, unchanged: 0, refused: 0 };
  #last: ReloadHistory["last"];
  #current: Loaded;
  #diskHolds: boolean;
  #trial: RunningTrial | undefined;
  /** A reload that has not begun. */
  #waiting: Promise<ReloadOutcome> | undefined;
  /** The attempt under way, and those behind it. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#current = options.current;
    this.#diskHolds = !options.current.lastGood;
  }

  get current(): Loaded {
    return this.#current;
  }

  get history(): ReloadHistory {
    const lastGood = this.#current.lastGood ?? false;
    return { counts: { ...this.#counts }, last: this.#last, diskHolds: this.#diskHolds, lastGood };
  }

  get trial(): Trial | undefined {
    return this.#trial?.shown;
  }

  /** What holds since the start is known to work. */
  started(): Promise<void> {
    return this.#alone(() => this.#keep(this.#current));
  }

  /** What is on disk holds from now on; a trial is over. One that waits for its turn reads for all who asked meanwhile. */
  reload(): Promise<ReloadOutcome> {
    return this.#waiting ??= this.#next(async () => {
      this.#waiting = undefined;
      const outcome = await this.#readDisk().catch(refused);
      this.#diskHolds = outcome.result !== "refused";
      const problems = outcome.problems.slice(0, MOST_TOLD);
      this.#last = { at: Date.now(), result: outcome.result, problems };
      return outcome;
    });
  }

  /** `text` holds for `ms`: then what held before does again, unless it was confirmed. */
  try(text: string, ms: number): Promise<ReloadOutcome & { readonly trial?: Trial }> {
    return this.#next(async () => {
      const before = this.#trial?.before ?? this.#current;
      checkPlace(before.files);
      const loaded = await this.#options.parse([{ file: TRIAL_FILE, text, base: before.files[0] }]);
      const { changes, warnings } = await this.#options.apply(loaded);
      const time = Math.min(LONGEST_TRIAL, Math.max(SHORTEST_TRIAL, ms));
      const trial: RunningTrial = new RunningTrial(
        loaded,
        before,
        time,
        (pause) => this.#takeBack(trial, pause),
      );
      this.#endTrial();
      this.#trial = trial;
      this.#current = loaded;
      this.#say("info", `a configuration is on trial for ${Math.round(time / 1000)} s`);
      return { result: "applied", changes, warnings, problems: [], trial: trial.shown };
    });
  }

  /**
   * The trial of that id holds for good, under the name of the file whose place it takes. Rejects where that fails: the
   * trial goes on.
   */
  confirm(id: string): Promise<Confirmation> {
    return this.#alone(async () => {
      const trial = this.#trial;
      if (trial?.id !== id) return "over";
      const { files, texts } = trial.before;
      if (!await this.#options.isKnown(texts)) return "changed";
      const loaded = await this.#options.parse([{ file: files[0], text: trial.text }]);
      await this.#options.apply(loaded); // the log and the metrics name routes by their file
      this.#diskHolds = true;
      await this.#settle(loaded);
      this.#say("info", "the configuration on trial is confirmed");
      return "confirmed";
    });
  }

  /** Runs `act` when no attempt is under way: what holds does not change meanwhile. */
  between(act: () => Promise<void>): Promise<void> {
    return this.#alone(act);
  }

  /** No attempt begins after this; resolves when the last one is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endTrial();
    await this.#queue;
    this.#endTrial(); // which the last one began
  }

  async #readDisk(): Promise<ReloadOutcome> {
    const loaded = await this.#options.read();
    const { texts, references } = this.#current;
    const holds = !this.#trial && sameTexts(loaded.texts, texts) &&
      sameReferences(loaded.references, references);
    const { changes, warnings } = holds ? NOTHING : await this.#options.apply(loaded);
    if (this.#trial) this.#say("warn", "what is on disk was read: the trial of a configuration is over");
    await this.#settle(loaded);
    return { result: changes.length > 0 ? "applied" : "unchanged", changes, warnings, problems: [] };
  }

  /** It holds, and for good. */
  async #settle(loaded: Loaded): Promise<void> {
    this.#endTrial();
    this.#current = loaded;
    await this.#keep(loaded);
  }

  /** Its time is over, and nobody confirmed it: what held before is applied, or it holds on and this comes again. */
  #takeBack(trial: RunningTrial, pause: number): Promise<void> {
    return this.#alone(async () => {
      if (this.#trial !== trial) return; // decided meanwhile
      try {
        const { changes } = await this.#busy(() => this.#options.apply(trial.before));
        this.#endTrial();
        this.#current = trial.before;
        this.#say("warn", "nobody confirmed the configuration on trial: the one before holds again");
        for (const change of changes) this.#say("info", `configuration applied: ${change}`);
      } catch (thrown) {
        if (this.#trial !== trial) return; // the gate stops
        const state = `nobody confirmed it, and it holds on: ${causeChain(thrown)}`;
        this.#say("error", `Cannot end the trial of a configuration: ${state}; again in ${pause / 1000} s`);
      }
    });
  }

  #endTrial(): void {
    this.#trial?.[Symbol.dispose]();
    this.#trial = undefined;
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
      if (this.#stopped) {
        this.#waiting = undefined;
        this.#say("info", "configuration not read: the gate stops");
        return refused(new GateError("closed", "gate", "Cannot reload: the gate stops"));
      }
      const outcome = await this.#busy(attempt).catch(refused);
      this.#tell(outcome);
      return outcome;
    });
  }

  async #busy<T>(act: () => Promise<T>): Promise<T> {
    this.#options.busy(true);
    try {
      return await act();
    } finally {
      if (!this.#stopped) this.#options.busy(false);
    }
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(act);
    this.#queue = done.catch(() => {});
    return done;
  }

  #tell({ result, changes, warnings, problems }: ReloadOutcome): void {
    this.#counts[result]++;
    for (const problem of problems) this.#say("error", `configuration refused: ${problem}`);
    for (const warning of warnings) this.#say("warn", warning);
    for (const change of changes) this.#say("info", `configuration applied: ${change}`);
    if (result === "unchanged") this.#say("info", "configuration read again: nothing changed");
  }

  #say(level: Level, text: string): void {
    this.#options.log({ level, event: "reload", text });
  }
}

const NOTHING = { changes: [], warnings: [] };

/** A trial takes the place of one file when it is confirmed. Throws GateError where there is none, or several. */
function checkPlace(files: readonly string[]): void {
  if (files.length === 1) return;
  const state = files.length === 0 ? "the built-in one has no file" : "it is read from several files";
  throw new GateError(
    "unsupported",
    "gate",
    `Cannot try a configuration: ${state} whose place it could take`,
  );
}

function refused(thrown: unknown): ReloadOutcome {
  const problems = thrown instanceof ConfigurationError ? thrown.message.split("\n") : [causeChain(thrown)];
  return { result: "refused", changes: [], warnings: [], problems };
}
