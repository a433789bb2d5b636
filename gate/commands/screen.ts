/** Frames on a terminal, each over the one before; the terminal is as it was afterwards. */
import { cut } from "../visible.ts";

const ENTER = "\x1b[?1049h\x1b[?25l", LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H", CLEAR_LINE = "\x1b[K", CLEAR_BELOW = "\x1b[J";
const CTRL_C = 0x03, QUIT = 0x71;
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
/** Where nobody can tell: the size of an old terminal. */
const USUAL = { columns: 80, rows: 24 };

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The terminal's size; of what is none, no bound. */
export function outputSize(): Size {
  return Deno.stdout.isTerminal() ? terminalSize() : { columns: Infinity, rows: Infinity };
}

function terminalSize(): Size {
  try {
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 0 ? { columns, rows } : USUAL;
  } catch {
    return USUAL;
  }
}

/** The alternate screen. Its owner disposes it, whatever happens. */
export class Screen implements Disposable {
  readonly #ended = new AbortController();
  readonly #keys: boolean;
  readonly #end = () => this.#ended.abort();
  readonly #resize: () => void;

  /** `resized` draws again. */
  constructor(resized: () => void) {
    this.#resize = resized;
    this.#keys = Deno.stdin.isTerminal();
    for (const signal of SIGNALS) Deno.addSignalListener(signal, this.#end);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGWINCH", this.#resize);
    if (this.#keys) {
      Deno.stdin.setRaw(true);
      void this.#readKeys();
    }
    print(ENTER);
  }

  /** Aborted by `q`, Ctrl-C or a signal. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** What does not fit is cut. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = terminalSize();
    const shown = lines.slice(0, rows).map((line) => cut(line, columns) + CLEAR_LINE);
    print(HOME + shown.join("\r\n") + CLEAR_BELOW);
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, this.#end);
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGWINCH", this.#resize);
    if (this.#keys) Deno.stdin.setRaw(false);
    print(LEAVE);
  }

  /** Its last read ends with the process: nothing can take it back. */
  async #readKeys(): Promise<void> {
    const keys = new Uint8Array(64);
    while (!this.ended.aborted) {
      const read = await Deno.stdin.read(keys).catch(() => null);
      if (read === null || keys.subarray(0, read).some((key) => key === CTRL_C || key === QUIT)) this.#end();
    }
  }
}

/** The whole text, at once where the terminal takes it. */
function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
