/** A gate for tests, from a configuration's text: on the test's own thread as main, with engine threads of its own. */
import type { ConfigurationText } from "../../gate/config/files.ts";
import { parseConfiguration } from "../../gate/config/load.ts";
import { LogWriter } from "../../gate/log_writer.ts";
import type { ReloadOutcome } from "../../gate/operations.ts";
import { Scope } from "../../gate/scope.ts";
import type { Service } from "../../gate/service.ts";
import { startService } from "./service.ts";
import { protocolsWithToys } from "./toys.ts";

/** A line of the journal. */
export interface JournalRecord {
  readonly id: number;
  readonly parent?: number;
  readonly listener: string;
  readonly peer: string;
  readonly protocol: string;
  readonly serverName?: string;
  readonly target?: string;
  readonly endpoint?: string;
  readonly user?: string;
  readonly up: number;
  readonly down: number;
  readonly ms: number;
  readonly outcome: string;
  readonly side?: string;
  readonly cause?: string;
}

/** A line of the journal about one request. */
export interface RequestLine {
  readonly id: number;
  readonly method: string;
  readonly host?: string;
  readonly path: string;
  readonly status?: number;
  readonly requestId: string;
  readonly retries?: number;
  readonly user?: string;
  readonly client?: string;
  readonly route?: string;
  readonly endpoint?: string;
  readonly up: number;
  readonly down: number;
  readonly outcome: string;
  readonly side?: string;
  readonly cause?: string;
}

const RECORD_TIME = 5000;

export class TestGate implements AsyncDisposable {
  readonly records: JournalRecord[] = [];
  readonly requests: RequestLine[] = [];
  readonly messages: string[] = [];
  #waiting = new Set<() => void>();
  #taken = new Set<JournalRecord>();

  constructor(
    readonly service: Service,
    /** The configuration's file. */
    readonly disk: { text: string },
    readonly close: () => Promise<void>,
  ) {}

  /** The port of a listener's first address. */
  port(listener: string): number {
    const { address } = this.service.listening.find((each) => each.listener === listener)!;
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  /** The file says something else now, and is read again. */
  reload(yaml: string): Promise<ReloadOutcome> {
    this.disk.text = yaml;
    return this.service.reload();
  }

  /** The next record that was not awaited yet and for which `is` holds; throws after 5 s, or so many ms. */
  async record(
    is: (record: JournalRecord) => boolean = () => true,
    within = RECORD_TIME,
  ): Promise<JournalRecord> {
    const until = performance.now() + within;
    for (;;) {
      const found = this.records.find((record) => !this.#taken.has(record) && is(record));
      if (found) {
        this.#taken.add(found);
        return found;
      }
      const left = until - performance.now();
      if (left <= 0) {
        throw new Error(
          `no such record in ${within} ms; there are: ${JSON.stringify(this.records.slice(-20))}`,
        );
      }
      await this.#change(left);
    }
  }

  /** The first line of a request, now or soon, for which `is` holds; throws after 5 s. */
  async request(is: (line: RequestLine) => boolean): Promise<RequestLine> {
    const until = performance.now() + RECORD_TIME;
    for (;;) {
      const found = this.requests.find(is), left = until - performance.now();
      if (found) return found;
      if (left <= 0) throw new Error(`no such request in 5 s; there are: ${JSON.stringify(this.requests)}`);
      await this.#change(left);
    }
  }

  write(lines: string): void {
    for (const line of lines.split("\n")) {
      if (!line) continue;
      const parsed = JSON.parse(line);
      if (parsed.event === "connection") this.records.push(parsed);
      else if (parsed.event === "request") this.requests.push(parsed);
      else this.messages.push(parsed.message);
    }
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    const faults = this.messages.filter((message) => /(?<!de)fault/.test(message));
    if (faults.length > 0) throw new Error(`the engine told of faults: ${faults.join("\n")}`);
  }
}

export const engineWorker = (): Worker =>
  new Worker(new URL("./engine_worker.ts", import.meta.url), { type: "module" });

/**
 * Tests run side by side: the port of the admin page that nobody wrote about is one for all of them. They may look at
 * whatever the log can tell.
 */
const forTests = ({ file, text }: ConfigurationText): ConfigurationText => {
  const page = /^admin:/m.test(text) ? "" : `\nadmin: { address: "off" }\n`;
  return { file, text: `${text}${page}${/^log:/m.test(text) ? "" : "\nlog: { level: debug }\n"}` };
};

/** Checks, binds, serves; dispose it. Ports are 0 in the text, `port()` tells them. */
export async function startGate(
  yaml: string,
  environment: Record<string, string> = {},
  worker = engineWorker,
): Promise<TestGate> {
  const env = { get: (name: string) => environment[name] };
  const disk = { text: yaml };
  const parse = (texts: readonly ConfigurationText[]) =>
    parseConfiguration(texts.map(forTests), protocolsWithToys, env);
  const read = () => parse([{ file: "test.yaml", text: disk.text }]);
  const scope = new Scope();
  const early: string[] = [];
  const sink = { write: (lines: string): void => void early.push(lines) };
  const log = new LogWriter((bytes) => {
    sink.write(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  }, String);
  const service = await startService({ read, parse, worker, log, scope });
  const gate = new TestGate(service, disk, async () => {
    await service.stop();
    await scope.close(2000);
    await log.flush(2000);
  });
  sink.write = (lines) => gate.write(lines);
  for (const lines of early) gate.write(lines);
  return gate;
}
