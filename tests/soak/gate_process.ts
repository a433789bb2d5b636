/** The gate under the soak: a process, its log as it comes, what it holds, and what it says of itself. */
import type { Status } from "../../gate/operations.ts";
import { connect } from "../support/net.ts";
import { type ProcessState, processState } from "../support/process_state.ts";
import { CENSUS, type Census, type Counted, HEAP } from "../support/toy_census.ts";

/** ms until it is ready; until it answers; until who has gone is given back; until it has ended. */
const START_TIME = 30_000, ANSWER_TIME = 30_000, QUIET_TIME = 60_000, END_TIME = 60_000;
/** Which thread takes a connection is chance. */
const MOST_ASKED = 1000;
/** Messages that are kept: there may be millions. */
const MOST_KEPT = 100;

/** How often records of a source ended so. */
export type Outcomes = Map<string, number>;

export class GateProcess {
  /** By the address that clients came from. */
  readonly records = new Map<string, Outcomes>();
  /** Lines about anything but connections, by their event. */
  readonly events = new Map<string, number>();
  /** The first lines that tell of a fault, or that lines are lost. */
  readonly faults: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #following: Promise<void>;
  /** Each question over a connection of its own: one that is kept would count as a descriptor. */
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  #banner = "";
  /** What the main thread told last of its heap, bytes. */
  #heap: number | undefined;
  #stopped: Promise<number> | undefined;

  private constructor(command: readonly string[], readonly file: string, readonly mayDie: boolean) {
    this.#process = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#following = this.#follow();
  }

  /** Starts it and waits until it is ready. `mayDie`: deaths of its threads are no faults. */
  static async start(command: readonly string[], file: string, mayDie: boolean): Promise<GateProcess> {
    const gate = new GateProcess(command, file, mayDie);
    const late = setTimeout(() => gate.#process.kill("SIGKILL"), START_TIME);
    for await (const text of gate.#process.stdout.pipeThrough(new TextDecoderStream())) {
      gate.#banner += text;
      if (/^ready$/m.test(gate.#banner)) break;
    }
    clearTimeout(late);
    if (/^ready$/m.test(gate.#banner)) return gate;
    await gate.stop();
    throw new Error(`Cannot start the gate: ${gate.faults.join("\n") || "it says nothing"}`);
  }

  /** The port of a listener. */
  port(listener: string): number {
    const port = new RegExp(`^ +${listener} .*:(\\d+)( |$)`, "m").exec(this.#banner)?.[1];
    if (port === undefined) throw new Error(`Cannot find ${listener}: the banner is ${this.#banner}`);
    return Number(port);
  }

  async status(): Promise<Status> {
    const url = `http://127.0.0.1:${this.port("admin")}/status`;
    const signal = AbortSignal.timeout(ANSWER_TIME);
    return await (await fetch(url, { client: this.#client, signal })).json();
  }

  /** Puts a configuration in the place of its file and has it read. */
  async reload(yaml: string): Promise<void> {
    await Deno.writeTextFile(`${this.file}.new`, yaml);
    await Deno.rename(`${this.file}.new`, this.file);
    this.#process.kill("SIGHUP");
  }

  get state(): ProcessState {
    return processState(this.#process.pid);
  }

  get recorded(): number {
    return [...this.records.values()].reduce(
      (all, outcomes) => [...outcomes.values()].reduce((sum, count) => sum + count, all),
      0,
    );
  }

  /** Waits until nobody is counted and it holds no more sockets than `most`; what it holds then. */
  async quiet(most = Infinity): Promise<ProcessState> {
    const late = performance.now() + QUIET_TIME;
    for (;;) {
      const { connections } = await this.status(), { state } = this;
      if (connections === 0 && state.sockets <= most || performance.now() > late) return state;
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  /** The same, once what ends late has had `rest` ms for that. */
  async settled(most: number, rest: number): Promise<ProcessState> {
    await this.quiet(most);
    await new Promise((done) => setTimeout(done, rest));
    return await this.quiet(most);
  }

  /** What it has in use, behind collections of all heaps. Throws where so many threads are not found. */
  async census(listener: string, threads: number): Promise<Counted> {
    const found = new Map<string, Census>(), late = performance.now() + ANSWER_TIME;
    this.#heap = undefined;
    this.#process.kill("SIGUSR2");
    while (this.#heap === undefined) {
      if (performance.now() > late) throw new Error("Cannot count: the main thread does not answer");
      await new Promise((done) => setTimeout(done, 20));
    }
    for (let asked = 0; found.size < threads; asked++) {
      if (asked === MOST_ASKED) throw new Error(`Cannot count: ${found.size} of ${threads} threads answer`);
      await using client = await connect(this.port(listener));
      await client.write(CENSUS);
      client.end();
      const census: Census = JSON.parse(await client.text());
      found.set(census.thread, census);
    }
    return { heap: this.#heap, threads: [...found.values()] };
  }

  /** Ends it; its exit code. Its whole log is there then. Later calls answer the same. */
  stop(): Promise<number> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<number> {
    try {
      this.#process.kill("SIGTERM");
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown; // it ended before
    }
    const late = setTimeout(() => this.#process.kill("SIGKILL"), END_TIME);
    const [{ code }] = await Promise.all([this.#process.status, this.#following]);
    clearTimeout(late);
    this.#client.close();
    return code;
  }

  async #follow(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#hear(line);
    }
    if (rest !== "") this.#hear(rest);
  }

  #hear(line: string): void {
    if (!line.startsWith("{")) return this.#complain(line);
    const { event, level, message, peer, outcome, parent, protocol } = JSON.parse(line);
    if (event === "connection" && protocol === "ssh" && parent !== undefined) {
      if (level === "error") this.#complain(line);
      return count(this.events, "channel");
    }
    if (event === "connection") {
      count(this.#outcomes(peer.slice(0, peer.lastIndexOf(":"))), outcome);
      if (level === "error") this.#complain(line);
      return;
    }
    if (event === HEAP) {
      this.#heap = Number(message);
      return;
    }
    const result = event === "reload" ? /^configuration (\w+)/.exec(message)?.[1] ?? "warning" : undefined;
    count(this.events, result === undefined ? event : `reload ${result}`);
    const expected = event === "reload" || event === "engine" && this.mayDie;
    if (level === "error" && !expected || event === "log-lost") this.#complain(message);
  }

  #outcomes(source: string): Outcomes {
    const known = this.records.get(source);
    if (known) return known;
    const outcomes: Outcomes = new Map();
    this.records.set(source, outcomes);
    return outcomes;
  }

  #complain(line: string): void {
    if (this.faults.length < MOST_KEPT && !line.startsWith("warning:")) this.faults.push(line);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
