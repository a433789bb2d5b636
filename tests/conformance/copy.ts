/** What Gate.copy keeps to, whatever it copies between. Cases as in stream.ts. */
import { copyBytes } from "../../gate/engine/copy.ts";
import { equal, fails } from "../support/assert.ts";
import { readAll, readExactly } from "../support/memory_stream.ts";
import { pattern } from "../support/pattern.ts";
import { aborted, close, same, type StreamSubject } from "./stream.ts";

type CopyCase = (from: StreamSubject, to: StreamSubject) => Promise<void>;

export const COPY_CASES: Readonly<Record<string, CopyCase>> = {
  async "exactly so many bytes, held ones first, again and again; both go on"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const bytes = pattern(1_500_000, 7);
    const written = Promise.resolve(source.write(bytes)).then(() => source.closeWrite());
    await a.next((head) => head.length < 50 ? 50 : { used: 20 });
    const read = readAll(sink);
    await b.write(bytes.subarray(0, 20));
    let at = 20;
    for (const size of [1, 29, 400_000, 16_384, 65_536, 800_000]) {
      await copyBytes(a, b, size);
      at += size;
    }
    await b.write(await readExactly(a, 1000));
    await b.closeWrite();
    same(await read, bytes.subarray(0, at + 1000));
    equal((await readAll(a)).length, bytes.length - at - 1000);
    await written;
    await sink.write(pattern(5));
    same(await readExactly(b, 5), pattern(5));
    close(source, a, b, sink);
  },

  async "what was polled and is left goes first, also where the copy begins as it comes"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const bytes = pattern(300_000, 3), { promise, resolve } = Promise.withResolvers<number>();
    const poll = (): void => {
      const polled = a.poll((head) => head.length < 20 ? 20 : { used: 20 }, poll);
      if (polled) resolve(copyBytes(a, b, bytes.length - 20));
    };
    poll();
    const written = source.write(bytes), read = readAll(sink);
    equal(await promise, bytes.length - 20);
    await b.closeWrite();
    same(await read, bytes.subarray(20));
    await written;
    close(source, a, b, sink);
  },

  async "an end that comes too early is told, and the other stream goes on"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    await source.write(pattern(100));
    await source.closeWrite();
    await fails(copyBytes(a, b, 101), "closed");
    same(await readExactly(sink, 100), pattern(100));
    await b.write(pattern(3));
    same(await readExactly(sink, 3), pattern(3));
    close(source, a, b, sink);
  },

  async "a sink that takes nothing is given up in time, also behind the last bytes"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const bytes = pattern(65_536), pace = { source: 10_000, sink: 100, least: 0 };
    const copyAll = async () => {
      for (;;) {
        await source.write(bytes);
        await copyBytes(a, b, bytes.length, pace);
      }
    };
    await fails(copyAll(), "timeout");
    close(source, a, b, sink);
  },

  async "what has moved is told meanwhile, and stays true when it breaks off"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const bytes = pattern(100_000);
    let progress = { moved: NaN };
    const copied = fails(copyBytes(a, b, 1_000_000, undefined, (given) => progress = given), "closed");
    equal(progress.moved, 0);
    for (let at = 0; at < bytes.length; at += 20_000) {
      await source.write(bytes.subarray(at, at + 20_000));
      same(await readExactly(sink, 20_000), bytes.subarray(at, at + 20_000));
      equal(progress.moved, at + 20_000);
    }
    await source.closeWrite();
    await copied;
    equal(progress.moved, bytes.length);
    close(source, a, b, sink);
  },

  async "into a socket: the other direction goes on meanwhile"(from, to) {
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    if (!b.take) return close(source, a, b, sink);
    const bytes = pattern(1_500_000), answer = readExactly(b, 5), early = readAll(source);
    const copied = fails(copyBytes(a, b, Infinity), "internal");
    await source.write(pattern(9));
    same(await readExactly(sink, 9), pattern(9));
    await sink.write(pattern(5));
    same(await answer, pattern(5));
    await a.write(bytes);
    await a.closeWrite();
    same(await early, bytes);
    b.abort(aborted());
    await copied;
    close(source, a, b, sink);
  },

  async "a reset of the source is told"(from, to) {
    if (!from.resets) return;
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const copied = fails(copyBytes(a, b, 1000), "reset");
    source.abort(aborted());
    await copied;
    close(a, b, sink);
  },

  async "a reset of the sink is told, though the source is silent"(from, to) {
    if (!to.resets) return;
    const [source, a] = await from.pair(), [b, sink] = await to.pair();
    const copied = fails(copyBytes(a, b, 1000), "reset");
    await from.settle();
    sink.abort(aborted());
    await copied;
    await source.write(pattern(9)); // the source is still ours
    same(await readExactly(a, 9), pattern(9));
    close(source, a, b);
  },
};
