/** Programs that a test starts: what they say, line by line, and an end that is always by their own pid. */
import { find } from "../../scripts/clients.ts";

/** ms for a line that is awaited, and for a program to end by itself once asked to. */
const LINE_TIME = 20_000, END_TIME = 10_000;

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly clearEnv?: boolean;
}

/** A program that runs beside the test. */
export class Child implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly status: Promise<Deno.CommandStatus>;
  #ended = false;
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  readonly #title: string;

  constructor(program: string, args: readonly string[], options: StartOptions = {}) {
    this.#title = `${program} ${args.join(" ")}`;
    this.#process = new Deno.Command(find(program) ?? program, {
      ...options,
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#read = Promise.all([
      this.#gather(this.#process.stdout, (text) => this.stdout += text),
      this.#gather(this.#process.stderr, (text) => this.stderr += text),
    ]);
    this.status = this.#process.status.then((status) => {
      this.#ended = true;
      this.#wake();
      return status;
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Waits until `found` answers something; throws with everything the program said when it ends or is late. */
  async until<T>(found: () => T | undefined, ms = LINE_TIME): Promise<T> {
    const late = performance.now() + ms;
    for (;;) {
      const value = found();
      if (value !== undefined) return value;
      const left = late - performance.now();
      if (this.#ended || left <= 0) {
        const state = this.#ended ? "it has ended" : `not within ${ms} ms`;
        throw new Error(`${this.#title}: ${state}\n${this.stdout.slice(-4000)}\n${this.stderr.slice(-4000)}`);
      }
      await this.#change(left);
    }
  }

  /** The first match in what it printed so far, or will print. */
  line(pattern: RegExp, ms = LINE_TIME): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.stdout) ?? pattern.exec(this.stderr) ?? undefined, ms);
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Its exit code; throws when it has not ended in time. All output is there then. */
  async exit(ms = END_TIME): Promise<number> {
    await this.until(() => this.#ended ? true : undefined, ms).catch((late) => {
      if (!this.#ended) throw late;
    });
    await this.#read;
    return (await this.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#kill("SIGTERM");
    await this.exit(3000).catch(() => this.#kill("SIGKILL"));
    await Promise.all([this.status, this.#read]);
  }

  #kill(name: Deno.Signal): void {
    try {
      this.#process.kill(name);
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown; // it ended a moment ago
    }
  }

  async #gather(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#wake();
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Uint8Array;
}

/** Runs a program to its end: at most `most` ms (a minute), then it is killed. */
export async function run(
  program: string,
  args: readonly string[],
  { stdin, most = 60_000, ...options }: StartOptions & {
    readonly stdin?: string | Uint8Array;
    readonly most?: number;
  } = {},
): Promise<Output> {
  const child = new Deno.Command(find(program) ?? program, {
    ...options,
    args: [...args],
    env: { LC_ALL: "C", ...options.env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), most);
  const typed = stdin === undefined ? undefined : type(child, stdin);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  await typed;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr), bytes: stdout };
}

/** As run; anything but exit code 0 throws with what the program said. */
export async function succeed(...given: Parameters<typeof run>): Promise<Output> {
  const output = await run(...given);
  if (output.code === 0) return output;
  throw new Error(
    `${given[0]} ${given[1].join(" ")}: exit ${output.code}\n${output.stdout}\n${output.stderr}`,
  );
}

async function type(child: Deno.ChildProcess, text: string | Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(typeof text === "string" ? new TextEncoder().encode(text) : text);
    await writer.close();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.BrokenPipe)) throw thrown; // the program wanted no more
  }
}

/** A directory that is gone with its owner. */
export class Folder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir({ prefix: "ugate-test-" }));
  }

  /** Writes a file, answers its path. */
  async write(name: string, content: string | Uint8Array, mode?: number): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content, {
      mode,
    });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
