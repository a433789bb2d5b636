/** A gate for tests, from a configuration's text: on the test's own thread as main, with engine threads of its own. */
import { compileSnapshot } from "../../gate/config/compile.ts";
import { parseConfiguration } from "../../gate/config/load.ts";
import { discoveryOf } from "../../gate/commands/discovery.ts";
import { Passwords } from "../../gate/passwords.ts";
import { Scope } from "../../gate/scope.ts";
import { Supervisor } from "../../gate/supervisor.ts";
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

const RECORD_TIME = 5000;

export class TestGate implements AsyncDisposable {
  readonly records: JournalRecord[] = [];
  readonly messages: string[] = [];
  #waiting = new Set<() => void>();
  #taken = new Set<JournalRecord>();

  constructor(readonly supervisor: Supervisor, readonly close: () => Promise<void>) {}

  /** The port of a listener's first address. */
  port(listener: string): number {
    const { address } = this.supervisor.listening.find((each) => each.listener === listener)!;
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  /** The next record that was not awaited yet and for which `is` holds; throws after 5 s. */
  async record(is: (record: JournalRecord) => boolean = () => true): Promise<JournalRecord> {
    const until = performance.now() + RECORD_TIME;
    for (;;) {
      const found = this.records.find((record) => !this.#taken.has(record) && is(record));
      if (found) {
        this.#taken.add(found);
        return found;
      }
      const left = until - performance.now();
      if (left <= 0) {
        throw new Error(`no such record in 5 s; there are: ${JSON.stringify(this.records.slice(-20))}`);
      }
      await this.#change(left);
    }
  }

  write(lines: string): void {
    for (const line of lines.split("\n")) {
      if (!line) continue;
      const parsed = JSON.parse(line);
      if (parsed.event === "connection") this.records.push(parsed);
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
    const faults = this.messages.filter((message) => message.includes("fault"));
    if (faults.length > 0) throw new Error(`the engine told of faults: ${faults.join("\n")}`);
  }
}

/** Checks, binds, serves; dispose it. Ports are 0 in the text, `port()` tells them. */
export async function startGate(yaml: string, environment: Record<string, string> = {}): Promise<TestGate> {
  const env = { get: (name: string) => environment[name] };
  const { config } = await parseConfiguration([{ file: "test.yaml", text: yaml }], protocolsWithToys, env);
  const scope = new Scope();
  const discovery = discoveryOf(config);
  const users = Object.values(config.listeners).map(({ name, users }) => [name, users ?? {}]);
  const passwords = new Passwords(Object.fromEntries(users));
  const early: string[] = [];
  const log = { write: (lines: string): void => void early.push(lines) };
  const supervisor = await Supervisor.start({
    snapshot: compileSnapshot(config, 1),
    addresses: Object.values(config.listeners).flatMap(({ name, addresses }) =>
      addresses.map((address) => ({ listener: name, address }))
    ),
    threads: config.engine.threads,
    worker: new URL("./engine_worker.ts", import.meta.url),
    discovery,
    login: (login) => passwords.check(login),
    log: { format: "json", quiet: [], write: (lines) => log.write(lines) },
    scope,
  });
  const gate = new TestGate(supervisor, async () => {
    await supervisor.stop();
    discovery[Symbol.dispose]();
    await scope.close(2000);
  });
  log.write = (lines) => gate.write(lines);
  for (const lines of early) gate.write(lines);
  return gate;
}
