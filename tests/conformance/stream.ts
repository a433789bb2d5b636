/** What every stream keeps to, whatever carries it. The cases run wherever it lives, so they use no timers. */
import type { Phase, Stream } from "../../gate/streams.ts";
import { GateError } from "../../gate/errors.ts";
import { equal, fails, ok, rejects } from "../support/assert.ts";
import { readAll, readExactly } from "../support/memory_stream.ts";
import { pattern } from "../support/pattern.ts";

/** The two ends of one connection. `late` is what whoever accepted it can tell it. */
export type End = Stream & { late?(): void };
export type Pair = readonly [End, End];

export interface StreamSubject {
  readonly pair: () => Promise<Pair>;
  /** Whether an abort arrives as a reset always: over a unix socket it may arrive as an end. */
  readonly resets: boolean;
  /** Lets whatever is under way go on; resolves afterwards. */
  readonly settle: () => Promise<void>;
}

export type StreamCase = (subject: StreamSubject) => Promise<void>;

const text = (stream: Stream): Promise<string> =>
  readAll(stream).then((bytes) => new TextDecoder().decode(bytes));
/** A failure may come at once or later: who awaits sees no difference. */
const tried = <T>(act: () => T | Promise<T>): Promise<T> => Promise.resolve().then(act);
const bytesOf = (words: string): Uint8Array => new TextEncoder().encode(words);
export const aborted = () => new GateError("internal", "gate", "Cannot go on: the test aborts it");

/** The forms with promises. */
export const STREAM_CASES: Readonly<Record<string, StreamCase>> = {
  async "bytes arrive in order and whole, in both directions at once"({ pair }) {
    const [a, b] = await pair();
    const up = pattern(700_000, 1), down = pattern(500_000, 2);
    const send = async (stream: Stream, bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += 33_333) await stream.write(bytes.subarray(at, at + 33_333));
      await stream.closeWrite();
    };
    const [gotUp, gotDown] = await Promise.all([readAll(b), readAll(a), send(a, up), send(b, down)]);
    same(gotUp, up);
    same(gotDown, down);
    close(a, b);
  },

  async "what was written is free on return"({ pair }) {
    const [a, b] = await pair();
    const bytes = pattern(3_000_000), sent = bytes.slice();
    const read = readAll(b);
    const written = a.write(sent);
    sent.fill(0);
    await written;
    await a.closeWrite();
    same(await read, bytes);
    close(a, b);
  },

  async "look consumes nothing and is shown more until it answers"({ pair, settle }) {
    const [a, b] = await pair();
    const sizes: number[] = [];
    const looked = b.look((head, phase) => {
      equal(phase, "open");
      sizes.push(head.length);
      return head.length < 6 ? 6 : { word: new TextDecoder().decode(head.subarray(0, 6)) };
    });
    for (const part of ["ab", "cd", "efgh"]) {
      await a.write(bytesOf(part));
      await settle();
    }
    equal((await looked).word, "abcdef");
    ok(sizes.slice(1).every((size) => size >= 6), `shown too early: ${sizes}`);
    equal(await b.look((head) => new TextDecoder().decode(head)), "abcdefgh");
    await a.closeWrite();
    equal(await text(b), "abcdefgh");
    close(a, b);
  },

  async "next uses what it wants, and the rest goes first"({ pair }) {
    const [a, b] = await pair();
    await a.write(bytesOf("head\nbody"));
    const { line } = await b.next((bytes) => {
      const end = bytes.indexOf(10);
      return end < 0
        ? bytes.length + 1
        : { used: end + 1, line: new TextDecoder().decode(bytes.subarray(0, end)) };
    });
    equal(line, "head");
    equal(await b.look((head) => head.length < 4 ? 4 : new TextDecoder().decode(head)), "body");
    await a.write(bytesOf(" more"));
    await a.closeWrite();
    equal(await text(b), "body more");
    close(a, b);
  },

  async "next waits for as many bytes as it asked for"({ pair, settle }) {
    const [a, b] = await pair();
    let calls = 0;
    const read = Promise.resolve(b.next((bytes) => {
      calls++;
      return bytes.length < 5 ? 5 : { used: 5, got: new TextDecoder().decode(bytes.subarray(0, 5)) };
    }));
    for (const part of ["1", "2", "3", "4", "5"]) {
      await a.write(bytesOf(part));
      await settle();
    }
    equal((await read).got, "12345");
    ok(calls <= 2, `called ${calls} times`);
    close(a, b);
  },

  async "a poll answers from what is there, or wakes when it is worth another one"({ pair, settle }) {
    const [a, b] = await pair();
    let shown = 0;
    const got = polling(b, (bytes) => {
      shown++;
      return bytes.length < 5 ? 5 : { used: 5, word: new TextDecoder().decode(bytes.subarray(0, 5)) };
    });
    for (const part of ["1", "234", "5abcdeX", "Y"]) {
      equal(got, []);
      await a.write(bytesOf(part));
      await settle();
      if (part.startsWith("5")) equal(got.splice(0), ["12345", "abcde"]);
    }
    ok(shown <= 5, `shown ${shown} times`);
    equal(await b.look((head) => head.length < 2 ? 2 : new TextDecoder().decode(head)), "XY");
    close(a, b);
  },

  async "who polls hears of the end, and that the time is over"({ pair, settle }) {
    const [a, b] = await pair();
    const heard = [a, b].map((stream) =>
      polling(stream, (bytes, phase) => phase === "open" ? bytes.length + 1 : { used: 0, word: phase }, true)
    );
    await a.closeWrite();
    await settle();
    equal(heard, [[], ["ended"]]);
    a.late?.();
    await settle();
    equal(heard, [["late"], ["ended"]]);
    close(a, b);
  },

  async "who polls hears of an abort, but never from inside of it, and of a reset"({ pair, settle, resets }) {
    const [a, b] = await pair();
    const heard = [a, b].map((stream) => polling(stream, (bytes) => bytes.length + 1));
    a.abort(aborted());
    equal(heard[0], []);
    await settle();
    equal(heard[0], ["internal"]);
    ok(heard[1][0] === "reset" || !resets, `told ${heard[1]}`);
    close(a, b);
  },

  async "so many bytes of what is given are written"({ pair }) {
    const [a, b] = await pair(), bytes = pattern(1_000_000);
    const read = readAll(b);
    await a.write(bytes, 10);
    await a.write(bytes.subarray(10), 700_000);
    await a.closeWrite();
    same(await read, bytes.subarray(0, 700_010));
    close(a, b);
  },

  async "the end is a phase of look and of next, and null to read; the other direction goes on"({ pair }) {
    const [a, b] = await pair();
    await a.write(bytesOf("bye"));
    await a.closeWrite();
    const seen = await b.look((head, phase) => phase === "ended" ? { size: head.length } : head.length + 1);
    equal(seen.size, 3);
    await fails(tried(() => b.look((head) => head.length + 1)), "closed");
    equal(
      await b.next((bytes, phase) => phase === "ended" ? { used: bytes.length, phase } : bytes.length + 1),
      {
        used: 3,
        phase: "ended",
      },
    );
    equal(await b.read(new Uint8Array(10)), null);
    await b.write(bytesOf("still here"));
    await b.closeWrite();
    equal(await text(a), "still here");
    close(a, b);
  },

  async "a look that never ends is malformed beyond 64 KiB"({ pair }) {
    const [a, b] = await pair();
    const written = Promise.resolve(a.write(new Uint8Array(80_000))).catch(() => {});
    await fails(tried(() => b.look((head) => head.length + 1)), "malformed");
    b.abort(aborted());
    await written;
    close(a, b);
  },

  async "look is told when the time is over"({ pair, settle }) {
    const [a, b] = await pair();
    await a.write(bytesOf("par"));
    const looked = b.look((head, phase) => phase === "late" ? { size: head.length } : head.length + 1);
    await settle();
    b.late?.();
    equal((await looked).size, 3);
    await fails(tried(() => b.look((head) => head.length + 1)), "timeout");
    close(a, b);
  },

  async "a writer waits for a reader that stopped, and all arrives when it goes on"({ pair, settle }) {
    const [a, b] = await pair();
    const bytes = pattern(24 << 20, 5);
    let over = false;
    const written = Promise.resolve(a.write(bytes)).then(() => a.closeWrite()).then(() => over = true);
    for (let i = 0; i < 20; i++) await settle();
    ok(!over, "24 MiB went nowhere");
    const into = new Uint8Array(1 << 18);
    let at = 0;
    for (let size = await b.read(into); size !== null; size = await b.read(into)) {
      same(into.subarray(0, size), bytes.subarray(at, at + size));
      at += size;
    }
    equal(at, bytes.length);
    await written;
    close(a, b);
  },

  async "an abort is a reset to the peer, and its reason to its own reader"({ pair, resets }) {
    const [a, b] = await pair();
    const own = a.read(new Uint8Array(10)), other = b.read(new Uint8Array(10));
    const both = Promise.allSettled([own, other]);
    a.abort(aborted());
    const [mine, theirs] = await both;
    ok(
      mine.status === "rejected" && mine.reason.failure === "internal",
      "the reader was not told the reason",
    );
    if (resets) {
      ok(theirs.status === "rejected" && theirs.reason.failure === "reset", "the peer saw no reset");
    }
    await fails(tried(() => a.write(bytesOf("x"))), "internal");
    close(a, b);
  },

  async "a reset reaches a writer that waits"({ pair, settle, resets }) {
    const [a, b] = await pair();
    const written = Promise.resolve(a.write(new Uint8Array(24 << 20)));
    const told = written.then(() => "written", (error: GateError) => error.failure);
    await settle();
    b.abort(aborted());
    const failure = await told;
    ok(failure === "reset" || (!resets && failure === "closed"), `told ${failure}`);
    close(a, b);
  },

  async "disposing ends: what was written before arrives, and it can be used no more"({ pair }) {
    const [a, b] = await pair();
    await a.write(bytesOf("last words"));
    a[Symbol.dispose]();
    equal(await text(b), "last words");
    await fails(tried(() => a.write(bytesOf("x"))), "closed");
    await fails(a.read(new Uint8Array(1)), "closed");
    close(a, b);
  },

  async "disposing wakes who reads"({ pair, settle }) {
    const [a, b] = await pair();
    const read = rejects(a.read(new Uint8Array(10)), /closed/);
    await settle();
    a[Symbol.dispose]();
    await read;
    close(a, b);
  },

  async "a whole conversation in small steps"({ pair }) {
    const [a, b] = await pair();
    for (let i = 1; i < 200; i++) {
      const question = pattern(i, i), answer = pattern(200 - i, i);
      await a.write(question);
      same(await readExactly(b, i), question);
      await b.write(answer);
      same(await readExactly(a, 200 - i), answer);
    }
    close(a, b);
  },
};

/** What polls are answered, and why they fail. */
function polling(
  stream: Stream,
  use: (bytes: Uint8Array, phase: Phase) => { used: number; word: string } | number,
  once = false,
): string[] {
  const got: string[] = [];
  const poll = () => {
    try {
      for (let answer; !(once && got.length > 0) && (answer = stream.poll(use, poll));) got.push(answer.word);
    } catch (thrown) {
      got.push((thrown as GateError).failure);
    }
  };
  poll();
  return got;
}

export function same(got: Uint8Array, expected: Uint8Array): void {
  equal(got.length, expected.length);
  for (let i = 0; i < got.length; i++) if (got[i] !== expected[i]) throw new Error(`differs at ${i}`);
}

export function close(...streams: Stream[]): void {
  for (const stream of streams) stream[Symbol.dispose]();
}
