/**
 * One channel of the type `session` (RFC 4254 6): a live status in place of a shell, and a few verbs that change nothing.
 * There is no shell behind it, no file, and no process.
 */
import type { Conn, Gate } from "../../../gate/contracts.ts";
import type { Joint, Taker } from "../../../gate/streams.ts";
import { asGateError, causeChain } from "../../../gate/errors.ts";
import { after, again } from "../../../gate/engine/loop.ts";
import { visible } from "../../../gate/visible.ts";
import type { Answer } from "../channels/answers.ts";
import type { Channel, ChannelEvents } from "../channels/channel.ts";
import type { Grant } from "../keys/login.ts";
import { encoded, type Reader } from "../wire.ts";
import { HELP, readCommand, Unrunnable } from "./commands.ts";
import { Outlet } from "./outlet.ts";
import { Terminal } from "./terminal.ts";
import { LineView, ScreenView } from "./view.ts";
import type { Here } from "./ways.ts";

/** Whose session it is. */
export interface Owner {
  readonly conn: Conn;
  readonly gate: Pick<Gate, "node" | "visits" | "tell" | "ownName" | "doorFor">;
  readonly grant: Pick<Grant, "pty" | "command" | "role">;
  /** Why forwards were refused that it asked for. */
  readonly refusals: ReadonlySet<string>;
}

/** Ctrl-C, Ctrl-D, Ctrl-\\, q and Q end it; Ctrl-L draws it again. */
const ENDING_KEYS = [0x03, 0x04, 0x1c, 0x71, 0x51], CTRL_L = 0x0c;
const ENDING_SIGNALS = ["INT", "TERM", "HUP", "QUIT", "KILL"];
/** Of a command, characters that are looked at; of a name, those that are told again. */
const LONGEST_COMMAND = 1024, LONGEST_SHOWN = 60;
/** RFC 4254 5.2. */
const STDERR = 1;
const FAILED = 1;
/** So long a client may take for what a command printed, ms. */
const PRINT_TIME = 60_000;

/** What clients ask for beside a shell, and is not here: the status tells. */
const NOTES: ReadonlyMap<string, string> = new Map([
  ["auth-agent-req@openssh.com", "Cannot forward your agent: this gate has no use for it"],
  ["x11-req", "Cannot forward X11: this gate runs no programs"],
]);

export class Session implements ChannelEvents, Taker {
  readonly #owner: Owner;
  readonly #here: Here;
  readonly #channel: Channel;
  readonly #joint: Joint;
  readonly #outlet: Outlet;
  #terminal: Terminal | undefined;
  readonly #notes = new Set<string>();
  readonly #closed: () => void;
  #isBegun = false;
  #view: ScreenView | LineView | undefined;
  #visits: Disposable | undefined;
  /** What it ends with, once everything is out. */
  #exit: number | undefined;
  #cancelPrint: (() => void) | undefined;
  #isOver = false;
  /** A key that ends it was typed. */
  #leaving = false;

  /** `closed` is called once, when the channel is. */
  constructor(channel: Channel, owner: Owner, here: Here, closed: () => void) {
    this.#owner = owner;
    this.#here = here;
    this.#closed = closed;
    this.#channel = channel;
    channel.events = this;
    this.#joint = channel.stream.joint();
    this.#outlet = new Outlet(this.#joint);
    this.#joint.join(this);
  }

  /** What would go on for as long as somebody looks ends; what is printed goes on. */
  leave(): void {
    if (this.#view || !this.#isBegun) this.#end(0);
  }

  // Requests.

  request(name: string, from: Reader, answer: Answer | undefined): void {
    const granted = this.#request(name, from);
    if (granted) answer?.yes();
    else answer?.no();
  }

  #request(name: string, from: Reader): boolean {
    switch (name) {
      case "pty-req":
        return this.#setTerminal(from);
      case "window-change":
        this.#terminal?.resize(from);
        this.#view?.changed();
        return this.#terminal !== undefined;
      case "shell":
        return this.#begin(undefined);
      case "exec":
        return this.#begin(from.text());
      case "subsystem":
        return this.#refuse(from.text());
      case "signal":
        if (ENDING_SIGNALS.includes(from.text())) this.#end(0);
        return true;
      default: // `env` too: nobody reads a variable
        if (NOTES.has(name)) this.#notes.add(NOTES.get(name)!);
        return false;
    }
  }

  #setTerminal(from: Reader): boolean {
    if (!this.#owner.grant.pty || this.#terminal || this.#isBegun) return false;
    this.#terminal = Terminal.read(from);
    return this.#terminal !== undefined;
  }

  /** Of a subsystem: granted, and then it fails. Whose request is not granted leaves before he reads why. */
  #refuse(name: string): boolean {
    const what = name === "sftp" ? "transfer files" : `serve ${JSON.stringify(name.slice(0, LONGEST_SHOWN))}`;
    return this.#start(() =>
      this.#fail(FAILED, `Cannot ${what}: this gate has no files or programs of its own`)
    );
  }

  #begin(asked: string | undefined): boolean {
    const text = this.#owner.grant.command ?? asked;
    return this.#start(() => text === undefined ? this.#show() : this.#run(text));
  }

  /** There is one thing for each channel; it begins behind the answer. */
  #start(act: () => void): boolean {
    if (this.#isBegun || this.#isOver) return false;
    this.#isBegun = true;
    again(() => this.#settle(act));
    return true;
  }

  // What is shown.

  #show(): void {
    const { conn, gate, refusals } = this.#owner, terminal = this.#terminal;
    const notes = () => [...this.#notes, ...refusals].map(visible); // those are told before it begins
    const shown = { node: () => gate.node(conn), here: this.#here, notes };
    const view = this.#view = terminal?.isScreen
      ? new ScreenView(shown, this.#outlet, terminal)
      : new LineView(shown, this.#outlet, terminal !== undefined);
    this.#visits = gate.visits(conn, (visit, leftOut) => view.visited(visit, leftOut));
    view.start();
  }

  #run(text: string): void {
    const { gate, conn, grant } = this.#owner;
    const command = readCommand(text.slice(0, LONGEST_COMMAND), grant.role);
    if (command instanceof Unrunnable) return this.#fail(command.code, command.why);
    if (command === "help") return this.#print(HELP, 0);
    const columns = this.#terminal?.columns;
    gate.tell({ ...command, columns }, conn).then(
      ({ text, code }) => this.#settle(() => this.#print(text, code)),
      (thrown) => this.#settle(() => this.#fail(FAILED, causeChain(asGateError(thrown)))),
    );
  }

  #settle(act: () => void): void {
    if (!this.#isOver) act();
  }

  #print(text: string, code: number): void {
    this.#exit = code;
    this.#cancelPrint = after(PRINT_TIME, () => this.#end(FAILED));
    this.#outlet.write(this.#terminal ? text.replaceAll("\n", "\r\n") : text);
    this.room();
  }

  #fail(code: number, why: string): void {
    this.#complain(why);
    this.#end(code);
  }

  #complain(sentence: string): void {
    const end = this.#terminal ? "\r\n" : "\n";
    this.#channel.extend(STDERR, new TextEncoder().encode(visible(sentence) + end));
  }

  // What is typed.

  take(bytes: Uint8Array, at: number, size: number): void {
    this.#joint.delivered(size);
    if (!this.#terminal || !this.#view) return;
    for (const key of bytes.subarray(at, at + size)) {
      if (ENDING_KEYS.includes(key)) this.#leaving = true;
      else if (key === CTRL_L) this.#terminal.forget();
    }
  }

  flush(): void {
    if (this.#leaving) this.#end(0);
    else this.#view?.changed();
  }

  room(): void {
    if (this.#view) return this.#view.room();
    this.#outlet.push();
    if (this.#exit !== undefined && this.#outlet.isFree) this.#end(this.#exit);
  }

  /** Of who has a terminal; without one nobody types, and the status goes on for who reads it. */
  end(): void {
    if (this.#terminal && this.#view) this.#end(0);
  }

  broke(): void {
    this.#stop();
  }

  closed(): void {
    this.#stop();
    this.#closed();
  }

  #stop(): void {
    this.#isOver = true;
    this.#view?.stop();
    this.#cancelPrint?.();
    this.#visits?.[Symbol.dispose]();
    this.#view = this.#visits = undefined;
    this.#outlet.drop();
  }

  /** What is not out by now is not wanted. */
  #end(code: number): void {
    if (this.#isOver) return;
    if (this.#view && this.#outlet.isFree) this.#outlet.write(this.#view.farewell);
    this.#stop();
    again(() => { // behind what is going on in the channel
      this.#channel.request("exit-status", encoded((to) => to.uint32(code)));
      this.#channel.end();
      this.#channel.close();
    });
  }
}
