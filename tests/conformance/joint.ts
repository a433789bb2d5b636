/** What every stream keeps to once it was moved to where bytes flow without promises. Cases as in stream.ts. */
import type { Joint, Stream, Taker } from "../../gate/streams.ts";
import { GateError } from "../../gate/errors.ts";
import { fill } from "../../gate/engine/layered.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { equal, fails, ok } from "../support/assert.ts";
import { readAll, readExactly } from "../support/memory_stream.ts";
import { pattern } from "../support/pattern.ts";
import { aborted, close, same, type StreamCase } from "./stream.ts";

/** Takes everything and remembers it; nothing may be called while `busy`. */
class Recorder implements Taker {
  readonly bytes: number[] = [];
  ended = 0;
  broken: GateError[] = [];
  busy = false;
  onRoom: () => void = () => {};
  onTake: (size: number) => void = () => {};
  #flushed = true;
  #waiting: { readonly is: () => boolean; readonly wake: () => void } | undefined;

  take(bytes: Uint8Array, at: number, size: number): void {
    this.#idle("take");
    ok(size > 0, "took nothing");
    this.#flushed = false;
    for (let i = at; i < at + size; i++) this.bytes.push(bytes[i]);
    this.onTake(size);
  }

  flush(): void {
    this.#idle("flush");
    this.#flushed = true;
    this.#look();
  }

  room(): void {
    this.#idle("room");
    this.onRoom();
    this.#look();
  }

  end(): void {
    this.#idle("end");
    ok(this.#flushed, "the end came before the flush");
    this.ended++;
    this.#look();
  }

  broke(reason: GateError): void {
    this.broken.push(reason);
    this.#look();
  }

  /** Resolves once it holds. */
  until(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve();
    return new Promise((wake) => this.#waiting = { is, wake });
  }

  #look(): void {
    if (!this.#waiting?.is()) return;
    promiseResolved();
    this.#waiting.wake();
    this.#waiting = undefined;
  }

  #idle(called: string): void {
    if (this.busy) throw new Error(`${called} was called from inside a method of the joint`);
  }
}

/** As `busy` guards it: the joint must not call back from inside. */
function quietly<T>(recorder: Recorder, act: () => T): T {
  recorder.busy = true;
  try {
    return act();
  } finally {
    recorder.busy = false;
  }
}

/** Fills what room there is from `bytes`; how much fitted. */
function put(joint: Joint, recorder: Recorder, bytes: Uint8Array): number {
  let sent = 0;
  while (sent < bytes.length) {
    const room = quietly(recorder, () => joint.reserve(bytes.length - sent));
    if (!room) return sent;
    const size = fill(room, bytes, sent, bytes.length - sent);
    ok(size > 0, "room without places");
    quietly(recorder, () => joint.commit(size));
    sent += size;
  }
  return sent;
}

/** Sends all of it, by `room` where there is none at once. */
async function putAll(joint: Joint, recorder: Recorder, bytes: Uint8Array): Promise<void> {
  let sent = put(joint, recorder, bytes);
  recorder.onRoom = () => sent += put(joint, recorder, bytes.subarray(sent));
  await recorder.until(() => sent === bytes.length);
  recorder.onRoom = () => {};
}

const jointOf = (stream: Stream): Joint => {
  ok(stream.joint, "it has no joint");
  return stream.joint();
};

export const JOINT_CASES: Readonly<Record<string, StreamCase>> = {
  async "what was read ahead goes first to who joins, then what comes, then the end once"({ pair }) {
    const [a, b] = await pair();
    const bytes = pattern(300_000);
    const written = (async () => {
      await a.write(bytes);
      await a.closeWrite();
    })();
    await b.next((head) => head.length < 100 ? 100 : { used: 10 });
    const joint = jointOf(b), taken = new Recorder();
    taken.onTake = (size) => quietly(taken, () => joint.delivered(size));
    quietly(taken, () => joint.join(taken));
    await taken.until(() => taken.ended > 0);
    await written;
    same(Uint8Array.from(taken.bytes), bytes.subarray(10));
    equal(taken.ended, 1);
    joint.end();
    equal(await a.read(new Uint8Array(1)), null);
    close(a);
  },

  async "joined for so many bytes it stops there, and leaving loses nothing"({ pair }) {
    const [a, b] = await pair();
    const bytes = pattern(200_000, 3);
    const written = Promise.resolve(a.write(bytes)).then(() => a.closeWrite());
    const joint = jointOf(b), taken = new Recorder();
    taken.onTake = (size) => joint.delivered(size);
    joint.join(taken, 70_001);
    await taken.until(() => taken.ended > 0);
    equal(taken.bytes.length, 70_001);
    const again = new Recorder();
    again.onTake = (size) => joint.delivered(size);
    joint.join(again, 9);
    await again.until(() => again.ended > 0);
    const stream = joint.leave();
    const rest = await readAll(stream);
    await written;
    same(Uint8Array.from([...taken.bytes, ...again.bytes, ...rest]), bytes);
    await stream.write(new Uint8Array(3));
    await stream.closeWrite();
    equal((await readAll(a)).length, 3);
    close(a, stream);
  },

  async "what is not delivered closes the window, and delivering opens it"({ pair, settle }) {
    const [a, b] = await pair();
    const bytes = pattern(12 << 20, 9);
    const written = Promise.resolve(a.write(bytes)).then(() => a.closeWrite());
    const joint = jointOf(b), taken = new Recorder();
    joint.join(taken);
    for (let i = 0; i < 50; i++) await settle();
    const first = taken.bytes.length;
    ok(first > 0 && first <= 1 << 20, `${first} bytes were taken that nobody delivered`);
    taken.onTake = (size) => quietly(taken, () => joint.delivered(size));
    quietly(taken, () => joint.delivered(first));
    let got = 0;
    await taken.until(() => {
      same(Uint8Array.from(taken.bytes), bytes.subarray(got, got += taken.bytes.length));
      taken.bytes.length = 0;
      return taken.ended > 0;
    });
    equal(got, bytes.length);
    await written;
    joint.end();
    close(a);
  },

  async "room is at most what was asked for and at least what was needed"({ pair }) {
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    joint.join(taken);
    const bytes = pattern(40_000, 4);
    let sent = 0;
    for (const [most, least] of [[1, 1], [7, 7], [300, 300], [20_000, 1], [1 << 20, 200]]) {
      const room = joint.reserve(most, least);
      ok(room, `no room for ${most}`);
      const size = room.size.subarray(0, room.pieces).reduce((sum, each) => sum + each, 0);
      ok(size >= least && size <= most, `asked for ${least} to ${most}, got ${size}`);
      const filled = fill(room, bytes, sent, Math.min(size, bytes.length - sent));
      joint.commit(filled);
      sent += filled;
    }
    same(await readExactly(a, sent), bytes.subarray(0, sent));
    joint.abort(aborted());
    close(a);
  },

  async "without room it says so, and tells when there is some"({ pair, settle }) {
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    joint.join(taken);
    const bytes = pattern(24 << 20, 6);
    let sent = put(joint, taken, bytes);
    await settle();
    sent += put(joint, taken, bytes.subarray(sent));
    ok(sent < bytes.length, "24 MiB went nowhere");
    const rest = putAll(joint, taken, bytes.subarray(sent)).then(() => joint.end());
    const into = new Uint8Array(1 << 18);
    let at = 0;
    for (let size = await a.read(into); size !== null; size = await a.read(into)) {
      same(into.subarray(0, size), bytes.subarray(at, at + size));
      at += size;
    }
    equal(at, bytes.length);
    await rest;
    await a.closeWrite();
    await taken.until(() => taken.ended > 0);
    close(a);
  },

  async "leaving while the peer does not read loses nothing of what was committed"({ pair }) {
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    joint.join(taken);
    const bytes = pattern(24 << 20, 8);
    const sent = put(joint, taken, bytes);
    const stream = joint.leave();
    const written = Promise.resolve(stream.write(bytes.subarray(sent, sent + 1000))).then(() =>
      stream.closeWrite()
    );
    same(await readAll(a), bytes.subarray(0, sent + 1000));
    await written;
    close(a, stream);
  },

  async "an abort of a joint is a reset to its peer, and the peer's reset is told once"({ pair, resets }) {
    const [a, b] = await pair();
    const first = jointOf(a), second = jointOf(b), mine = new Recorder(), theirs = new Recorder();
    first.join(mine);
    second.join(theirs);
    first.abort(aborted());
    await theirs.until(() => theirs.broken.length + theirs.ended > 0);
    if (resets) equal(theirs.broken.map(({ failure }) => failure), ["reset"]);
    equal(mine.broken.length, 0);
    second.abort(aborted());
  },

  async "a reset is told although nothing is taken any more"({ pair, settle, resets }) {
    if (!resets) return;
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    joint.join(taken);
    const written = Promise.resolve(a.write(new Uint8Array(24 << 20))).catch(() => {});
    for (let i = 0; i < 20; i++) await settle();
    a.abort(aborted());
    await written;
    await taken.until(() => taken.broken.length > 0);
    equal(taken.broken.length, 1);
  },

  async "who cannot read what it takes ends that stream and nothing else"({ pair, resets }) {
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    taken.onTake = () => {
      throw new GateError("malformed", "client", "Cannot read this");
    };
    joint.join(taken);
    await a.write(pattern(1000));
    await taken.until(() => taken.broken.length > 0);
    equal(taken.broken.map(({ failure }) => failure), ["malformed"]);
    if (resets) await fails(a.read(new Uint8Array(1)), "reset");
    close(a);
  },

  async "a moved stream is not closed by disposing it"({ pair }) {
    const [a, b] = await pair();
    const joint = jointOf(b), taken = new Recorder();
    b[Symbol.dispose]();
    joint.join(taken);
    await putAll(joint, taken, pattern(10));
    same(await readExactly(a, 10), pattern(10));
    joint.abort(aborted());
    close(a);
  },
};
