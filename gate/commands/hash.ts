/** `ugate hash`: a password in, its hash for `users` out. */
import { readPassword } from "../config/scalars.ts";
import { hashPassword } from "../passwords.ts";

/** One more byte than the longest password and its line end: what is longer shows. */
const MOST_READ = 1024;
const ENTER = [0x0a, 0x0d];
const BACKSPACE = [0x08, 0x7f];
const CTRL_C = 0x03, CTRL_D = 0x04, CTRL_U = 0x15;

/** From the terminal without echo, else one line of stdin. The hash goes to stdout; the exit code. */
export async function hash(): Promise<number> {
  const password = Deno.stdin.isTerminal() ? await promptTwice() : lineOf(await readInput());
  const problem = typeof password === "string" ? problemOf(password) : "it was not read";
  if (problem !== undefined) {
    console.error(`ugate: Cannot hash the password: ${problem}`);
    return 1;
  }
  console.log(await hashPassword(password!));
  return 0;
}

/** Whether configuration would take it as it is; a hash of a hash is a mistake. */
function problemOf(password: string): string | undefined {
  if (/[\r\n\0]/.test(password)) return "expected one line";
  if (password.startsWith("scrypt:")) return "it begins with scrypt: as a hash does";
  const read = readPassword(password);
  return typeof read === "string" ? undefined : `expected ${read.expected}`;
}

/** Without the line end; undefined: not UTF-8. */
function lineOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    return undefined;
  }
}

async function readInput(): Promise<Uint8Array> {
  const bytes = new Uint8Array(MOST_READ);
  let size = 0;
  while (size < MOST_READ) {
    const read = await Deno.stdin.read(bytes.subarray(size));
    if (read === null) break;
    size += read;
  }
  return bytes.subarray(0, size);
}

/** Twice, for a slip that nobody sees would lock its user out. undefined: given up, or the two differ. */
async function promptTwice(): Promise<string | undefined> {
  Deno.stdin.setRaw(true); // before the first prompt: who types at once is not echoed either
  try {
    const first = await prompt("Password: ");
    const second = first === undefined ? undefined : await prompt("Once more: ");
    if (first === second) return first;
    await say("The two differ.\r\n");
    return undefined;
  } finally {
    Deno.stdin.setRaw(false);
  }
}

/** undefined: Ctrl-C, Ctrl-D or the end of the input. */
async function prompt(text: string): Promise<string | undefined> {
  await say(text);
  const line = await readHidden();
  await say("\r\n");
  return line;
}

async function say(text: string): Promise<void> {
  await Deno.stderr.write(new TextEncoder().encode(text));
}

/** One line; the terminal edits nothing in raw mode, so Backspace and Ctrl-U are done here. */
async function readHidden(): Promise<string | undefined> {
  const line: number[] = [];
  const byte = new Uint8Array(1);
  while (line.length < MOST_READ && await Deno.stdin.read(byte) !== null) {
    if (ENTER.includes(byte[0])) return lineOf(Uint8Array.from(line));
    if (byte[0] === CTRL_C || byte[0] === CTRL_D) return undefined;
    if (byte[0] === CTRL_U) line.length = 0;
    else if (BACKSPACE.includes(byte[0])) eraseLast(line);
    else line.push(byte[0]);
  }
  return undefined;
}

/** A character, which is its first byte and the continuation bytes behind it (RFC 3629 3). */
function eraseLast(line: number[]): void {
  while (((line.pop() ?? 0) & 0xc0) === 0x80);
}
