/** Files of who certifies users: a plain key on each line, as sshd's TrustedUserCAKeys has them. */
import type { LineFault } from "../../../gate/identity/logins.ts";
import { eachLine, keyAt, skipBlanks } from "./lines.ts";

export interface AuthoritiesFile {
  /** As keyText has them. */
  readonly keys: readonly string[];
  readonly faults: readonly LineFault[];
}

export function readAuthorities(file: string, text: string): AuthoritiesFile {
  const keys: string[] = [];
  const faults = eachLine(file, text, (line) => keys.push(keyAt(line, skipBlanks(line, 0)).key));
  return { keys, faults };
}
