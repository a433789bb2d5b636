/** A live status on a channel: upon a screen, in place; else line by line. Bounded in rate, and in what it keeps. */
import type { NodeStatus, Visit } from "../../../gate/operations.ts";
import { after } from "../../../gate/engine/loop.ts";
import { counted } from "../../../gate/amounts.ts";
import type { Outlet } from "./outlet.ts";
import { screenLines } from "./screen_text.ts";
import { nameLines, visitLine, whoLines } from "./status_text.ts";
import { Terminal } from "./terminal.ts";
import type { Here } from "./ways.ts";

/** Between two looks at what there is to show, ms: while something happens, and while nothing does. */
const BUSY = 250, QUIET = 2000;
/** What was asked for before it begins may be granted meanwhile, ms. */
const FIRST = 100;
/** Visits that are kept: of a screen the last ones, else those that nobody took yet. */
const MOST_KEPT = 150;
/** Lines that one look may add. */
const MOST_LINES = 20;

/** What is shown, of this moment. */
export interface Shown {
  readonly node: () => NodeStatus;
  readonly here: Here;
  /** What was refused so far, a sentence each. */
  readonly notes: () => readonly string[];
}

abstract class View {
  protected readonly visits: Visit[] = [];
  #cancel: (() => void) | undefined;
  #isBusy = false;
  #over = false;

  constructor(protected readonly shown: Shown, protected readonly outlet: Outlet) {}

  /** From now on, until it is stopped. */
  start(): void {
    this.#cancel = after(FIRST, () => this.#look());
  }

  stop(): void {
    this.#over = true;
    this.#cancel?.();
  }

  /** Somebody came, asked, or went; so many did before that are told of no more. */
  visited(visit: Visit, leftOut = 0): void {
    if (leftOut > 0) this.missed(leftOut);
    this.visits.push(visit);
    if (this.visits.length > MOST_KEPT) this.overflow();
    this.#hurry();
  }

  /** What is to be written at the end. */
  get farewell(): string {
    return "";
  }

  /** The peer takes more. */
  room(): void {
    this.outlet.push();
    if (this.outlet.isFree) this.#hurry();
  }

  /** The terminal has another size, or what stands on it is to be drawn again. */
  changed(): void {
    this.#hurry();
  }

  /** Too many visits are kept. */
  protected abstract overflow(): void;
  /** Visits are told of no more. */
  protected missed(_number: number): void {}
  /** Text for the peer, which has taken all there was; "": nothing is new. */
  protected abstract text(): string;

  #look(): void {
    this.#isBusy = false;
    this.#cancel = after(QUIET, () => this.#look());
    if (!this.outlet.isFree) return; // room() comes
    const text = this.text();
    if (text !== "") this.outlet.write(text);
  }

  #hurry(): void {
    if (this.#over || this.#isBusy) return;
    this.#isBusy = true;
    this.#cancel?.();
    this.#cancel = after(BUSY, () => this.#look());
  }
}

/** Upon a screen: what stands there is what is now. */
export class ScreenView extends View {
  constructor(shown: Shown, outlet: Outlet, readonly terminal: Terminal) {
    super(shown, outlet);
  }

  override get farewell(): string {
    return Terminal.end;
  }

  protected override overflow(): void {
    this.visits.shift();
  }

  protected override text(): string {
    const { terminal, visits, shown: { here, ...now } } = this;
    const shown = { here, node: now.node(), notes: now.notes(), visits };
    return terminal.draw(screenLines(shown, terminal, Date.now()));
  }
}

/** Line by line: what is new. */
export class LineView extends View {
  readonly #newline: string;
  #told: readonly string[] | undefined;
  /** How many of them were told. */
  #notes = 0;
  /** Visits that nobody had the time to take. */
  #missed = 0;

  /** `raw`: a terminal on which a newline alone would not go back. */
  constructor(shown: Shown, outlet: Outlet, raw: boolean) {
    super(shown, outlet);
    this.#newline = raw ? "\r\n" : "\n";
  }

  protected override overflow(): void {
    this.visits.shift();
    this.missed(1);
  }

  protected override missed(number: number): void {
    this.#missed += number;
  }

  protected override text(): string {
    const node = this.shown.node(), notes = this.shown.notes(), { here } = this.shown, lines: string[] = [];
    if (!this.#told) lines.push(...whoLines(node), "", ...nameLines(node, here));
    else if (this.#told.join() !== node.names.join()) lines.push(...nameLines(node, here));
    this.#told = node.names;
    lines.push(...notes.slice(this.#notes));
    this.#notes = notes.length;
    if (this.#missed > 0) lines.push(`${counted(this.#missed, "line")} left out`);
    this.#missed = 0;
    lines.push(...this.visits.splice(0, MOST_LINES).map((visit) => visitLine(visit)));
    if (this.visits.length > 0) this.changed();
    return lines.map((line) => line + this.#newline).join("");
  }
}
