/** Child processes of a measurement, and what the kernel counts of them. */

/** Kernel clock ticks per second: USER_HZ is 100 on every Linux. */
const TICKS = 100;
/** ms that a process has to print a line. */
const PATIENCE = 20_000;

export class Child implements AsyncDisposable {
  readonly name: string;
  readonly #process: Deno.ChildProcess;
  #lines: AsyncIterator<string> | undefined;
  #ended = false;

  constructor(name: string, command: string, args: string[]) {
    this.name = name;
    const options = { args, stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
    this.#process = new Deno.Command(command, options).spawn();
    this.#process.status.then(() => this.#ended = true);
  }

  /** A program of this folder that answers in lines. */
  static script(file: string, ...args: string[]): Child {
    const path = new URL(file, import.meta.url).pathname;
    return new Child(file, Deno.execPath(), ["run", "-A", path, ...args]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The next line that it prints. */
  async line(within: number = PATIENCE): Promise<string> {
    this.#lines ??= this.#process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines())
      [Symbol.asyncIterator]();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Cannot wait longer for ${this.name}: it says nothing`)),
        within,
      );
    });
    try {
      const next = await Promise.race([this.#lines.next(), late]);
      if (next.done) throw new Error(`Cannot go on without ${this.name}: it ended`);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for one of the lines that it prints. */
  async says(line: string, within: number = PATIENCE): Promise<void> {
    const until = performance.now() + within;
    while (await this.line(until - performance.now()) !== line);
  }

  /** CPU seconds of all its threads, user and system (proc_pid_stat(5), fields 14 and 15). */
  cpu(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.pid}/stat`).split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /**
   * Its memory in KiB as if it ran alone: the proportional set size (proc_pid_smaps(5)), so shared libraries count in
   * part, but its program's file whole, for the processes of this benchmark run on the same one.
   */
  memory(): number {
    const program = Deno.readLinkSync(`/proc/${this.pid}/exe`);
    let sum = 0, counted = "Pss:";
    for (const line of Deno.readTextFileSync(`/proc/${this.pid}/smaps`).split("\n")) {
      if (/^[0-9a-f]+-/.test(line)) counted = line.endsWith(` ${program}`) ? "Rss:" : "Pss:";
      else if (line.startsWith(counted)) sum += Number.parseInt(line.slice(counted.length));
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.#process.status;
    await this.#process.stdin.abort().catch(() => {});
    await (this.#lines ? this.#lines.return?.() : this.#process.stdout.cancel());
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
function mostDescriptors(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
  return line?.[1] === "unlimited" ? 1_000_000 : Number(line?.[1] ?? 1024);
}

/** Idle connections that are asked for. */
export const IDLE_CONNECTIONS = 10_000;
/** Connections that a server has besides, and its descriptors that are no connections. */
const SPARE_CONNECTIONS = 100, SPARE_DESCRIPTORS = 1000;

/** Connections that everyone is configured for: what is measured, or what the limit of descriptors allows (2 each). */
export const capacity = (): number =>
  Math.min(IDLE_CONNECTIONS + SPARE_CONNECTIONS, Math.floor((mostDescriptors() - SPARE_DESCRIPTORS) / 2));

/** Idle connections that are measured. */
export const idleConnections = (): number => capacity() - SPARE_CONNECTIONS;
