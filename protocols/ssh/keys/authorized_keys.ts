/** `authorized_keys` (sshd(8)): read on the main thread, looked up on engines. */
import type { AuthorizedKey, KeyOptions, LineFault } from "../../../gate/identity/logins.ts";
import { keyOptions } from "./key_options.ts";
import { eachLine, isTypeAt, keyAt, keyText, skipBlanks } from "./lines.ts";
import { endOfOptions, readOptions } from "./option_text.ts";

/** Lines that are right, in their order, and those that are worth nothing. */
export interface AuthorizedFile {
  readonly keys: readonly AuthorizedKey[];
  readonly faults: readonly LineFault[];
}

/** Local times in it are those of this thread. `file` is for places alone. */
export function readAuthorizedKeys(file: string, text: string): AuthorizedFile {
  const keys: AuthorizedKey[] = [], known = new Map([["", keyOptions([])]]);
  const faults = eachLine(file, text, (line, place) => keys.push({ place, ...authorizedKey(line, known) }));
  return { keys, faults };
}

/** Lines with the same options share them: so they are told to engines once. Throws MistakeAt. */
function authorizedKey(line: string, known: Map<string, KeyOptions>): Omit<AuthorizedKey, "place"> {
  const from = skipBlanks(line, 0), end = isTypeAt(line, from) ? from : endOfOptions(line, from);
  const written = line.slice(from, end);
  const options = known.get(written) ?? keyOptions(readOptions(line, from, end));
  known.set(written, options);
  return { key: keyAt(line, skipBlanks(line, end)).key, options };
}

/** All authorized keys of an engine: one look-up for a login, however many there are. */
export class AuthorizedKeys {
  readonly #lines = new Map<string, AuthorizedKey[]>();

  get size(): number {
    return this.#lines.size;
  }

  /** Some more lines, behind those that are there. */
  add(keys: readonly AuthorizedKey[]): void {
    for (const key of keys) {
      const there = this.#lines.get(key.key);
      if (there) there.push(key);
      else this.#lines.set(key.key, [key]);
    }
  }

  /** The lines of this key, in order: the first that applies holds. `authority`: it is one's, and its certificate is shown. */
  of(blob: Uint8Array, authority: boolean): readonly AuthorizedKey[] {
    const lines = this.#lines.get(keyText(blob)) ?? [];
    return lines.every(({ options }) => options.authority === authority)
      ? lines
      : lines.filter(({ options }) => options.authority === authority);
  }
}
