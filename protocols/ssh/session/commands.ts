/** What may be run in place of a shell: verbs of the command line that change nothing. */
import { type Reading, READING_VERBS } from "../../../gate/operations.ts";

/** Why something is not run, for who asked, and the code that it ends with. */
export class Unrunnable {
  constructor(readonly code: number, readonly why: string) {}
}

/** As shells have it: no such command, and one that failed. */
const UNKNOWN = 127, FAILED = 1;
const LONGEST_SHOWN = 60;
const ROLE = "admin";

/** `text`: what somebody wants to run. Without the role nobody runs anything but help. */
export function readCommand(text: string, role: string | undefined): Reading | "help" | Unrunnable {
  const words = text.trim().split(/\s+/);
  if (words[0] === "ugate") words.shift();
  const [name = "", ...options] = words, verb = READING_VERBS.find((verb) => verb === name);
  if (name === "help") return name;
  if (!verb) {
    const shown = JSON.stringify(name.length > LONGEST_SHOWN ? `${name.slice(0, LONGEST_SHOWN)}…` : name);
    return new Unrunnable(
      UNKNOWN,
      `Cannot run ${shown}: here are ${READING_VERBS.join(", ")} and help, and no shell`,
    );
  }
  const json = options.length === 1 && options[0] === "--json";
  if (options.length > 0 && !json) {
    return new Unrunnable(FAILED, `Cannot run ${verb}: its only option here is --json`);
  }
  if (role !== ROLE) {
    return new Unrunnable(FAILED, `Cannot run ${verb}: it is for who has the role ${ROLE}`);
  }
  return { verb, json };
}

/** What `help` prints. */
export const HELP = `Without a command: what this connection offers, and who comes for it.
For the role ${ROLE}, with --json as data:
  status       how the running gate is
  nodes        who is connected, and under which names
  connections  what goes through the gate now
  id           who this gate is: its ID, names and fingerprints
  version      which ugate it is
`;
