/** `ugate confirm`: what is tried holds for good, and takes the place of the configuration on disk. */
import { GateError } from "../errors.ts";
import { mayName } from "./answerer.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { isTrial } from "./gate_answers.ts";
import { RELOAD_TIME } from "./reload.ts";
import { Replacement } from "./replacement.ts";
import type { Trial } from "../operations.ts";
import { visible, visibleJson } from "../visible.ts";

const NO_TRIAL = "there is no trial: it is over, or it was confirmed already";

/**
 * First the file is written beside its place, then the gate is told, and only then it is renamed: what fails on the way
 * leaves both as they were. The exit code; throws GateError.
 */
export async function confirm(options: GateOptions): Promise<number> {
  const gate = await findGate(options);
  const told = await gate.optional({ path: "/trial", whose: true }, isTrial);
  if (!told) return refuse(options, NO_TRIAL);
  const { value: trial, user } = told;
  if (!await mayName(user, trial.file)) return refuse(options, strangerText(gate.place, trial, user));
  await using replacement = await Replacement.prepare(trial.file, trial.text).catch((thrown) => {
    throw notConfirmed(thrown, trial);
  });
  const path = `/confirm?id=${encodeURIComponent(trial.id)}`;
  const { status, text } = await gate.ask({ method: "POST", path, time: RELOAD_TIME }).catch((thrown) => {
    replacement.leave();
    throw notKnown(thrown, replacement);
  });
  if (status === 409) return refuse(options, NO_TRIAL);
  if (status === 412) return refuse(options, changedText(trial));
  if (status !== 200) {
    return refuse(options, `the gate at ${gate.place} answers ${status}: ${visible(text.trim())}`);
  }
  await replacement.take().catch((thrown) => {
    replacement.leave();
    throw notInPlace(thrown, replacement);
  });
  if (replacement.lost) console.error(`warning: ${visible(replacement.file)}: ${replacement.lost}`);
  if (options.json) console.log(visibleJson({ confirmed: true, file: replacement.file }, 2));
  else console.log(`confirmed: ${visible(replacement.file)} holds the configuration now`);
  return 0;
}

const strangerText = (place: string, { file }: Trial, user: number | undefined): string =>
  `what answers at ${place} names ${visible(file)}, and ${
    user === undefined ? "whose process it is cannot be told" : `user ${user} has no part in that file`
  }: put there yourself what is to hold, and say \`ugate reload\``;

/** The gate compares: it knows what it has read. */
const changedText = ({ file }: Trial): string =>
  `somebody changed ${
    visible(file)
  }, and the gate has not read it since: put there what is to hold, and say \`ugate reload\``;

function refuse({ json }: GateOptions, problem: string): number {
  if (json) console.log(visibleJson({ confirmed: false, problem }, 2));
  console.error(`ugate: Cannot confirm: ${problem}`);
  return 1;
}

function notConfirmed(cause: unknown, { left }: Trial): GateError {
  const seconds = Math.max(0, Math.floor(left / 1000));
  return new GateError(
    "internal",
    "gate",
    `Cannot confirm, and nothing was changed: say it as a user who may write there, within ${seconds} s`,
    cause,
  );
}

/** The question may have arrived, or not. */
function notKnown(cause: unknown, { path, file }: Replacement): GateError {
  return new GateError(
    "unreachable",
    "gate",
    `Cannot tell whether the gate has confirmed: \`ugate status\` tells whether the trial goes on; if it was confirmed, put ${path} in the place of ${file}`,
    cause,
  );
}

function notInPlace(cause: unknown, { path, file }: Replacement): GateError {
  return new GateError(
    "internal",
    "gate",
    `Cannot finish: the gate has confirmed, but a restart would read the old file; put ${path} in the place of ${file}`,
    cause,
  );
}
