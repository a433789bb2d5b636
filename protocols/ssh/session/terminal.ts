/** The terminal that a client has told of (RFC 4254 6.2, 6.7): its kind, its size, and frames upon it. */
import { cut } from "../../../gate/visible.ts";
import type { Reader } from "../wire.ts";

/** No terminal is larger; what somebody tells beyond is not believed. */
const MOST_COLUMNS = 400, MOST_ROWS = 150;
/** Where somebody tells nothing: the size of an old terminal. */
const USUAL = { columns: 80, rows: 24 };
/** They obey no escapes. */
const PLAIN_KINDS = ["", "dumb", "unknown"];
const CLEAR = "\x1b[H\x1b[2J", CLEAR_LINE = "\x1b[K", CLEAR_BELOW = "\x1b[J";

export class Terminal {
  columns = USUAL.columns;
  rows = USUAL.rows;
  /** What stands on it: line by line. */
  #shown: readonly string[] = [];

  private constructor(readonly kind: string) {}

  /** Of a pty-req; undefined: it is broken. */
  static read(from: Reader): Terminal | undefined {
    const terminal = new Terminal(from.text());
    terminal.#resize(from);
    from.string(); // how its driver is set: nothing is echoed here
    return from.whole ? terminal : undefined;
  }

  /** Of a window-change. */
  resize(from: Reader): void {
    this.#resize(from);
  }

  /** Whether frames can be drawn upon each other. */
  get isScreen(): boolean {
    return !PLAIN_KINDS.includes(this.kind);
  }

  /**
   * What makes the lines stand there, with no more than what is different; "": they do. The cursor rests below them, so
   * that whatever comes when the connection is cut stands in its place. Lines that are too many or too long are cut.
   */
  draw(lines: readonly string[]): string {
    const next = lines.slice(0, this.rows - 1).map((line) => cut(line, this.columns));
    const before = this.#shown, begins = before.length === 0;
    let text = begins ? CLEAR : "";
    for (let at = 0; at < Math.max(next.length, before.length); at++) {
      if (next[at] !== before[at]) text += `\x1b[${at + 1};1H${next[at] ?? ""}${CLEAR_LINE}`;
    }
    this.#shown = next;
    return text === "" ? "" : `${text}\x1b[${next.length + 1};1H${CLEAR_BELOW}`;
  }

  /** What the client's program wrote below goes, and it goes on there. */
  static readonly end = `\r${CLEAR_BELOW}`;

  /** Nobody knows what stands there any more. */
  forget(): void {
    this.#shown = [];
  }

  #resize(from: Reader): void {
    const columns = from.uint32(), rows = from.uint32();
    from.uint32(); // its size in pixels
    from.uint32();
    if (from.failed) return;
    this.columns = columns === 0 ? USUAL.columns : Math.min(columns, MOST_COLUMNS);
    this.rows = rows === 0 ? USUAL.rows : Math.min(Math.max(rows, 2), MOST_ROWS);
    this.forget();
  }
}
