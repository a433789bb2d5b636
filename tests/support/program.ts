/** The real program as a child process: `ugate run` with a file, its banner, its journal, its end. */
import { Child, Folder, run as runProgram, type StartOptions } from "./child.ts";
import type { JournalRecord, RequestLine } from "./gate.ts";

export const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** What Deno needs to run the program; a verb of it follows. */
export const UGATE = ["run", "-A", MAIN];

const CONFIGURATION_NAME = "ugate.yaml";
/** ms from SIGTERM to the end, with connections open. */
const STOP_TIME = 8000;

export interface ProgramOptions extends StartOptions {
  /** Put before the program: `unshare -n`, say. */
  readonly before?: readonly string[];
  /** Options of `run`. */
  readonly run?: readonly string[];
}

export class Program implements AsyncDisposable {
  readonly #taken = new Set<number>();

  /** `child` runs already, with its configuration in `folder`, and belongs to this from now on. */
  constructor(readonly child: Child, readonly folder: Folder) {}

  /** Starts it and waits for `ready`. Without `yaml` there is no `-c`; then its directory is empty. */
  static async start(yaml?: string, options: ProgramOptions = {}): Promise<Program> {
    const program = await Program.launch(yaml, options);
    try {
      await program.child.line(/^ready$/m);
      return program;
    } catch (thrown) {
      await program[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** As start, and waits for nothing. */
  static async launch(
    yaml?: string,
    { before = [], run = [], ...options }: ProgramOptions = {},
  ): Promise<Program> {
    const folder = await Folder.make();
    // What it keeps is of no use to other tests: it does not come where a gate of this machine keeps its own.
    const own = yaml !== undefined && !/^node:/m.test(yaml)
      ? `\nnode: { state: "${folder.path}/state" }\n`
      : "";
    const file = yaml === undefined ? [] : ["-c", await folder.write(CONFIGURATION_NAME, yaml + own)];
    const command = [...before, Deno.execPath(), ...UGATE, "run", ...file, ...run];
    return new Program(new Child(command[0], command.slice(1), { cwd: folder.path, ...options }), folder);
  }

  /** The program with these arguments, in that directory. */
  static again(cwd: string, args: readonly string[]): Child {
    return new Child(Deno.execPath(), [...UGATE, ...args], { cwd });
  }

  /** The banner's lines of a listener, of `admin` or of `metrics`: addresses with the ports that the kernel chose. */
  addresses(name: string): string[] {
    const lines = this.child.stdout.split("\n").map((line) => /^ {2}(\S+) +(\S+)/.exec(line));
    return lines.filter((found) => found?.[1] === name).map((found) => found![2]);
  }

  /** The port of a listener's first address. */
  port(name: string, index = 0): number {
    const address = this.addresses(name)[index] ?? "";
    const port = Number(address.slice(address.lastIndexOf(":") + 1));
    if (!port) throw new Error(`no port of ${name} in the banner:\n${this.child.stdout}`);
    return port;
  }

  /** Every connection of the journal so far; a line that is not JSON throws. */
  get records(): JournalRecord[] {
    return this.#lines.filter(({ event }) => event === "connection");
  }

  /** Every request of the journal so far. */
  get requests(): RequestLine[] {
    return this.#lines.filter(({ event }) => event === "request");
  }

  get #lines() {
    const whole = this.child.stderr.slice(0, this.child.stderr.lastIndexOf("\n") + 1);
    return whole.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  /** The next record that was not awaited yet and for which `is` holds. */
  async record(is: (record: JournalRecord) => boolean = () => true): Promise<JournalRecord> {
    const found = await this.child.until(
      () => this.records.find((record) => !this.#taken.has(record.id) && is(record)),
    );
    this.#taken.add(found.id);
    return found;
  }

  /** Puts another configuration in the place of its file, in one step as editors do. */
  async configure(yaml: string): Promise<void> {
    const path = `${this.folder.path}/${CONFIGURATION_NAME}`;
    await Deno.writeTextFile(`${path}.new`, `${yaml}\nnode: { state: "${this.folder.path}/state" }\n`);
    await Deno.rename(`${path}.new`, path);
  }

  /** Lines of the log that are about no connection. */
  get messages(): string[] {
    const whole = this.child.stderr.slice(0, this.child.stderr.lastIndexOf("\n") + 1);
    const lines = whole.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line)).flatMap(({ message }) => message ?? []);
  }

  /** The first message for which `is` holds, now or soon; `from`: only those behind so many. */
  message(is: (message: string) => boolean, from = 0): Promise<string> {
    return this.child.until(() => this.messages.slice(from).find(is));
  }

  /** What the admin page says there. */
  async admin(path: string): Promise<Response> {
    return await fetch(`http://${this.addresses("admin")[0]}${path}`);
  }

  /** Ends it by a signal; its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.child.signal(signal);
    return await this.child.exit(STOP_TIME);
  }

  /** What it told of itself and not of connections: nothing, when all is well. */
  get faults(): string[] {
    return this.child.stderr.split("\n").filter((line) =>
      /"level":"error"(?!,"event":"(reload|life)")|panicked|engine fault/.test(line)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { faults } = this;
    await this.child[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
    if (faults.length > 0) throw new Error(`the program told of faults: ${faults.join("\n")}`);
  }
}

/** Another verb of the program, to its end. */
export const ugate = (args: readonly string[], options: Parameters<typeof runProgram>[2] = {}) =>
  runProgram(Deno.execPath(), [...UGATE, ...args], options);

/** Runs `act` beside the program without its admin page, which has to end well. */
export async function withProgram(yaml: string, act: (program: Program) => Promise<void>): Promise<void> {
  await using program = await Program.start(`${yaml}\nadmin: { address: "off" }\n`);
  await act(program);
  const code = await program.stop();
  if (code !== 0) throw new Error(`the program ended with ${code}\n${program.child.stderr}`);
}
