/** Files of a line for each key: what of them is used, and what is wrong with the others. */
import type { LineFault } from "../../../gate/identity/logins.ts";
import { certificateType } from "./algorithms.ts";
import { isCertificate } from "./certificate.ts";
import { Refusal } from "./fields.ts";
import { MistakeAt } from "./option_text.ts";
import { KEY_TYPES, readPublicKey } from "./public_key.ts";

/** Characters. RSA with 8192 bits has 1,400 of them, options the rest. */
const LONGEST_LINE = 16384;
const BLANKS = /[ \t]+/y;
const TYPES: ReadonlySet<string> = new Set([...KEY_TYPES, ...KEY_TYPES.map(certificateType)]);

/** Calls `read` with each line that says something; what that throws as MistakeAt is that line's fault. */
export function eachLine(
  file: string,
  text: string,
  read: (line: string, place: string) => void,
): LineFault[] {
  const faults: LineFault[] = [];
  let number = 0;
  for (const [written] of text.matchAll(/[^\n]*\n?/g)) {
    number++;
    const line = written.replace(/\r?\n?$/, "");
    const fault = (at: number, why: string) => faults.push({ place: `${file}:${number}:${at + 1}`, why });
    if (line.length > LONGEST_LINE) {
      fault(0, `the line has ${line.length} characters, ${LONGEST_LINE} are the most`);
    } else if (line.trim() !== "" && !line.trimStart().startsWith("#")) {
      try {
        read(line, `${file}:${number}`);
      } catch (thrown) {
        if (!(thrown instanceof MistakeAt)) throw thrown;
        fault(thrown.at, thrown.why);
      }
    }
  }
  return faults;
}

/** Behind blanks. */
export function skipBlanks(line: string, at: number): number {
  BLANKS.lastIndex = at;
  return at + (BLANKS.exec(line)?.[0].length ?? 0);
}

/** Up to the next blank. */
export function wordAt(line: string, at: number): string {
  const end = line.slice(at).search(/[ \t]/);
  return end < 0 ? line.slice(at) : line.slice(at, at + end);
}

/** Whether a type of keys stands there, known or not: no option has such a name. */
export const isTypeAt = (line: string, at: number): boolean => {
  const word = wordAt(line, at);
  return TYPES.has(word) || /^(ssh|ecdsa|sk)-[^,="]*$/.test(word);
};

/** The type and the base64 of a plain key; its base64 as SSH writes it. Throws MistakeAt. */
export function keyAt(line: string, at: number): { readonly key: string; readonly end: number } {
  const type = wordAt(line, at), from = skipBlanks(line, at + type.length), base64 = wordAt(line, from);
  if (!TYPES.has(type)) {
    throw new MistakeAt(at, `expected the type of a key, got ${JSON.stringify(type.slice(0, 64))}`);
  }
  const blob = decoded(base64);
  if (!blob) throw new MistakeAt(from, "expected a key in base64");
  if (isCertificate(blob)) throw new MistakeAt(at, "a certificate, where a plain key belongs");
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw new MistakeAt(from, key.why);
  if (key.type !== type) throw new MistakeAt(at, `the key is of the type ${key.type}`);
  return { key: keyText(blob), end: from + base64.length };
}

/** What keys are looked up by: base64 of the blob. */
export const keyText = (blob: Uint8Array): string => blob.toBase64();

function decoded(base64: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return undefined;
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
