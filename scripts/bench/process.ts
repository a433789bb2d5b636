/** Child processes of a measurement, and what the kernel counts of them. */

/** Kernel clock ticks per second: USER_HZ is 100 on every Linux. */
const TICKS = 100;
/** ms that a process has to open its port, or to print a line. */
const PATIENCE = 20_000;

export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #name: string;
  #lines: AsyncIterator<string> | undefined;
  #ended = false;

  private constructor(name: string, command: string, args: string[], stdout: "piped" | "null") {
    this.#name = name;
    this.#process = new Deno.Command(command, { args, stdin: "piped", stdout, stderr: "inherit" }).spawn();
    this.#process.status.then(() => this.#ended = true);
  }

  /** A server; what it prints is not read. */
  static server(name: string, command: string, args: string[]): Child {
    return new Child(name, command, args, "null");
  }

  /** A program of this folder that answers in lines. */
  static script(file: string, ...args: string[]): Child {
    const path = new URL(file, import.meta.url).pathname;
    return new Child(file, Deno.execPath(), ["run", "-A", path, ...args], "piped");
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next line that it prints. */
  async line(within: number = PATIENCE): Promise<string> {
    this.#lines ??= this.#process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines())
      [Symbol.asyncIterator]();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Cannot wait longer for ${this.#name}: it says nothing`)),
        within,
      );
    });
    try {
      const next = await Promise.race([this.#lines.next(), late]);
      if (next.done) throw new Error(`Cannot go on without ${this.#name}: it ended`);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until a port of it accepts; ms since `since`, which is a performance.now(). */
  async listens(port: number, since: number): Promise<number> {
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return performance.now() - since;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (this.#ended || performance.now() - since > PATIENCE) {
          throw new Error(`Cannot use ${this.#name}: port ${port} does not open`);
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
  }

  /** CPU seconds of all its threads, user and system (proc_pid_stat(5), fields 14 and 15). */
  cpu(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.pid}/stat`).split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /** Its own memory in KiB: proportional set size, so shared libraries count once. */
  memory(): number {
    const text = Deno.readTextFileSync(`/proc/${this.pid}/smaps_rollup`);
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? NaN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.#process.status;
    await this.#process.stdin.abort().catch(() => {});
    await this.#lines?.return?.();
  }
}

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(text, out) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) out.enqueue(line);
    },
  });
}

/** How many descriptors a process may have: the hard limit, which servers take. */
export function mostDescriptors(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
  return line?.[1] === "unlimited" ? 1_000_000 : Number(line?.[1] ?? 1024);
}
