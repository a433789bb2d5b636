/** A program on a terminal of its own (script(1) makes it): what it draws, what is typed, another size. */
import { find } from "../../scripts/clients.ts";
import { run } from "./child.ts";

/** ms for something that is awaited. */
const TIME = 20_000;

export class Terminal implements AsyncDisposable {
  /** Everything that was drawn, escapes and all. */
  drawn = "";
  readonly #process: Deno.ChildProcess;
  readonly #typing: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;
  #changed = Promise.withResolvers<void>();

  /** Its first line is the name of the terminal; then the program begins. */
  constructor(program: readonly string[], columns: number, rows: number) {
    const quoted = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const line = `stty rows ${rows} cols ${columns}; tty; exec ${quoted}`;
    this.#process = new Deno.Command(find("script")!, {
      args: ["-qefc", line, "/dev/null"],
      env: { SHELL: "/bin/sh", TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#typing = this.#process.stdin.getWriter();
    this.#read = this.#gather();
  }

  /** Waits until `found` answers something about what was drawn. */
  async until<T>(found: (drawn: string) => T | undefined | false | null): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`not drawn:\n${this.drawn.slice(-4000)}`)), TIME);
    try {
      for (;;) {
        const value = found(this.drawn);
        if (value) return value;
        await Promise.race([this.#changed.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async type(text: string): Promise<void> {
    await this.#typing.write(new TextEncoder().encode(text));
  }

  async resize(columns: number, rows: number): Promise<void> {
    const name = await this.until((drawn) => /^(\/dev\/\S+)\r\n/.exec(drawn)?.[1]);
    await run("stty", ["-F", name, "rows", String(rows), "cols", String(columns)]);
  }

  /** The program's exit code, and everything that it drew. */
  async end(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#read;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown; // it has ended
    }
    await this.#typing.close().catch(() => {});
    await this.end();
  }

  async #gather(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      this.drawn += text;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}
