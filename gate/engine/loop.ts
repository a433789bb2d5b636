/**
 * The engine's loop: epoll_wait, dispatch, what waits for the turn's end, and a yield to promises where one was
 * resolved. One per thread. It blocks, so nothing on this thread may use the runtime's own timers or promises of I/O.
 */
import { Deadlines, SWEEP_INTERVAL } from "./deadlines.ts";
import {
  EINTR,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  errnoName,
} from "./layout.ts";
import { owned } from "./owned.ts";
import { errno, layout, libc } from "./sys.ts";
import { GateError } from "../errors.ts";
import { Timers } from "./timers.ts";

/** Who is told what happened to its file descriptor. */
export interface Watcher {
  onEvent(events: number): void;
}

/** Reading, urgent data, writing and hang-up, each told once when it changes. */
export const EDGES = (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET) >>> 0;

const BATCH = 512;
/** Yields at least this often while events keep coming, ms: to promises of which nobody said that they were resolved. */
const YIELD_INTERVAL = 10;
/** After so long a turn is others', ms. */
const LONG_TURN = 5;
/** The longest sleep, ms: bounds how late a deadline is. */
const LONGEST_SLEEP = 250;

/** Opened when it is first used: a thread that only parses, and ends without a word, would leave it open. */
let epoll = -1;
const size = layout.epollEventSize, dataOffset = layout.epollDataOffset;
/** As bytes for the kernel, and as words to read: structures and their fields lie on words. */
const events = new Uint8Array(size * BATCH), words = new Int32Array(events.buffer);
const wordsOfEvent = size / 4, dataWord = dataOffset / 4;
const control = new Uint8Array(size), controlView = new DataView(control.buffer);

const watchers: (Watcher | undefined)[] = [];
/** Counts the lives of each descriptor: an event of an earlier life finds another number and is dropped. */
const generations: number[] = [];
const eager: (() => void)[] = [];
const turnEnds: (() => void)[] = [];
const timers = new Timers();

export const deadlines = new Deadlines();
/** Milliseconds of a monotonic clock, as of this turn. */
export let now = performance.now();

let promisesWait = false;
let running = false;
let beats: Int32Array | undefined, beat = 0;
let report: (what: string, thrown: unknown) => void = () => {};

/** Where faults of the engine itself are told; they end nothing. */
export function onFault(told: (what: string, thrown: unknown) => void): void {
  report = told;
}

/** A promise was resolved in this turn: the loop lets its continuation run before it sleeps. */
export function promiseResolved(): void {
  promisesWait = true;
}

function opened(): number {
  if (epoll < 0) epoll = owned(libc.epoll_create1(0x80000));
  if (epoll < 0) throw new Error("Cannot start an engine: epoll_create1 failed");
  return epoll;
}

/** Starts to tell `watcher` about `fd`. Throws "exhausted" where the kernel refuses. */
export function watch(fd: number, watcher: Watcher, mask: number = EDGES): void {
  const generation = generations[fd] = ((generations[fd] ?? 0) + 1) | 0;
  controlView.setUint32(0, mask >>> 0, true);
  controlView.setInt32(dataOffset, fd, true);
  controlView.setInt32(dataOffset + 4, generation, true);
  if (libc.epoll_ctl(opened(), EPOLL_CTL_ADD, fd, control) < 0) {
    throw new GateError("exhausted", "gate", `Cannot watch a socket: ${errnoName(errno())}`);
  }
  watchers[fd] = watcher;
}

/** No event of `fd` is delivered after this. A descriptor that is closed next needs no epoll_ctl. */
export function unwatch(fd: number, closing: boolean): void {
  watchers[fd] = undefined;
  generations[fd]++;
  if (!closing) libc.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, control);
}

/** Calls `act` once, `ms` from now; the answer cancels it. Precise to the loop's turn. */
export function after(ms: number, act: () => void): () => void {
  return timers.add(now + ms, act);
}

/** Goes on in the next turn, which then comes at once: for work that gave way to others. */
export function again(act: () => void): void {
  eager.push(act);
}

/**
 * For who goes on without waiting while bytes keep coming: nothing to wait for while this turn is short, else the next one.
 * Everybody else, and whoever looks whether this thread turns, waits for that.
 */
export function giveWay(): Promise<void> | undefined {
  return running && performance.now() - now >= LONG_TURN ? nextTurn() : undefined;
}

/** The next turn, behind what goes on because of this one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) =>
    again(() => {
      promiseResolved();
      resolve();
    })
  );
}

/** Runs at the end of every turn: what was gathered leaves here. */
export function atTurnEnd(act: () => void): void {
  turnEnds.push(act);
}

export function stop(): void {
  running = false;
}

/** Every turn counts one in place `at` of the shared memory: who looks from outside sees that this thread turns. */
export function beatInto(shared: SharedArrayBuffer, at: number): void {
  beats = new Int32Array(shared);
  beat = at;
}

/** Until stop(). */
export async function run(): Promise<void> {
  opened();
  running = true;
  let yielded = performance.now();
  while (running) {
    turn();
    if (promisesWait || now - yielded > YIELD_INTERVAL) {
      promisesWait = false;
      yielded = now;
      await new Promise((done) => setImmediate(done));
    }
    for (const act of turnEnds) guarded(act); // what promises gathered leaves too, before the loop sleeps
  }
}

let swept = 0;

/** Sleeps until something happens, and does what is to be done. */
function turn(): void {
  const count = libc.epoll_wait(epoll, events, BATCH, sleepTime());
  const failed = count < 0 ? errno() : 0;
  now = performance.now();
  if (beats) beats[beat]++;
  if (failed !== 0 && failed !== EINTR) throw new Error(`Cannot wait for events: ${errnoName(failed)}`);
  for (let i = 0, at = 0; i < count; i++, at += wordsOfEvent) dispatch(at);
  if (eager.length > 0) { for (const act of eager.splice(0)) guarded(act); }
  timers.fire(now, guarded);
  if (now - swept >= SWEEP_INTERVAL) {
    swept = now;
    guarded(sweep);
  }
}

const sweep = () => deadlines.sweep(now);

function sleepTime(): number {
  if (eager.length > 0 || promisesWait) return 0;
  return Math.max(0, Math.min(LONGEST_SLEEP, Math.ceil(timers.next() - now)));
}

function dispatch(at: number): void {
  const fd = words[at + dataWord];
  const watcher = watchers[fd];
  if (watcher === undefined || generations[fd] !== words[at + dataWord + 1]) return;
  try {
    watcher.onEvent(words[at]);
  } catch (thrown) {
    report("event", thrown);
  }
}

function guarded(act: () => void): void {
  try {
    act();
  } catch (thrown) {
    report("turn", thrown);
  }
}
