/** `ugate reload`: the running gate reads its configuration again, or tries another one for a while. */
import { formatTarget } from "../address.ts";
import { clockText, spanText } from "../amounts.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { isOutcome, type TrialOutcome } from "./gate_answers.ts";
import { readTrialText } from "./trial_text.ts";
import { visible, visibleJson } from "../visible.ts";

export interface ReloadOptions extends GateOptions {
  /** ms that `file` is tried for. */
  readonly confirm?: number;
  /** `-`: stdin. */
  readonly file?: string;
}

/** ms: a large configuration is checked, compiled and bound meanwhile. */
export const RELOAD_TIME = 60_000;
/** The gate knows a text and no file: see gate/reloads.ts. */
const TRIAL_PLACE = /^\(trial\)(?=:)/;

/** Tells what changed, or every mistake on stderr; the exit code. `confirm` and `file` come together. */
export async function reload(options: ReloadOptions): Promise<number> {
  const { confirm, file, json } = options;
  const body = file === undefined ? undefined : await readTrialText(file);
  const gate = await findGate(options);
  const path = confirm === undefined ? "/reload" : `/reload?confirm=${confirm}`;
  const outcome = await gate.json(
    { method: "POST", path, body, time: RELOAD_TIME },
    isOutcome,
    [200, 422],
  );
  if (json) console.log(visibleJson(outcome, 2));
  else tell(outcome, options);
  return outcome.result === "refused" ? 1 : 0;
}

function tell({ result, changes, warnings, problems, trial }: TrialOutcome, options: ReloadOptions): void {
  const placed = (line: string) =>
    visible(options.file ? line.replace(TRIAL_PLACE, () => options.file!) : line);
  for (const warning of warnings) console.error(`warning: ${placed(warning)}`);
  for (const problem of problems) console.error(placed(problem));
  if (result === "refused") {
    console.error("ugate: Cannot reload: this configuration is refused, and the one before still holds");
  } else if (result === "unchanged") {
    console.log(`unchanged: ${options.file === undefined ? "what is on disk" : "this"} holds already`);
  } else {
    console.log(
      [trial ? `applied for ${spanText(options.confirm ?? trial.left)}` : "applied", ...changes.map(indented)]
        .join("\n"),
    );
    if (trial) console.log(howToConfirm(trial.left, options));
  }
}

const indented = (change: string): string => `  ${visible(change)}`;

function howToConfirm(left: number, { admin, config }: ReloadOptions): string {
  const where = admin
    ? ` --admin ${shellWord(formatTarget(admin))}`
    : config
    ? ` -c ${shellWord(config)}`
    : "";
  return [
    `until ${
      clockText(new Date(Date.now() + left))
    }, then what held before holds again; to keep it, say before:`,
    `  ugate confirm${where}`,
  ].join("\n");
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
