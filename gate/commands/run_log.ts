/**
 * What `ugate run` says on stderr: plain text for people until the configuration is known, and from then on lines of
 * the log alone, in the form and from the level that the configuration of the moment says.
 */
import { logs } from "../config/compile.ts";
import type { Configuration } from "../config/configuration.ts";
import { causeChain } from "../errors.ts";
import type { Level, LogEvent, Message } from "../log.ts";
import { type LogFormat, logFormat, messageLine } from "../log_line.ts";
import { LogWriter, type Sink } from "../log_writer.ts";

/** What is not written after so many ms, at the end, is lost. */
const FLUSH_TIME = 2000;

export class RunLog implements AsyncDisposable {
  readonly writer: LogWriter;
  #config: (() => Configuration) | undefined;

  constructor(sink: Sink = (bytes) => Deno.stderr.write(bytes)) {
    this.writer = new LogWriter(sink, (lines) => this.#line(lostMessage(lines)));
  }

  /** `auto` as it is meant where stderr goes to. */
  readonly formatOf = ({ log }: Configuration): LogFormat =>
    logFormat(log.format, { terminal: Deno.stderr.isTerminal(), colors: !Deno.noColor });

  /** The configuration is known; `config` answers the one that holds. */
  follow(config: () => Configuration): void {
    this.#config = config;
  }

  say(level: Level, event: LogEvent, text: string): void {
    if (this.#config) this.writer.write(this.#line({ level, event, text }));
    else console.error(level === "warn" ? `warning: ${text}` : text);
  }

  warn(text: string): void {
    this.say("warn", "warning", text);
  }

  /** A mistake of this program, with its stack. */
  fault(what: string, thrown: unknown): void {
    const stack = thrown instanceof Error ? `\n${thrown.stack}` : "";
    this.say("error", "fault", `fault (${what}): ${causeChain(thrown)}${stack}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writer.flush(FLUSH_TIME);
  }

  /** Empty where the level leaves it out. */
  #line(message: Message): string {
    const config = this.#config?.();
    if (!config || !logs(config.log.level, message.level)) return "";
    return messageLine(this.formatOf(config), message);
  }
}

const lostMessage = (lines: number): Message => ({
  level: "warn",
  event: "log-lost",
  text: `${lines} lines of this log are lost: nobody took them`,
  fields: { lines },
});
