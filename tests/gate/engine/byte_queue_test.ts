import fc from "fast-check";
import { ByteQueue } from "../../../gate/engine/byte_queue.ts";
import { equal } from "../../support/assert.ts";

Deno.test("whatever is pushed, dropped and joined, the bytes come out in order", () => {
  const acts = fc.array(fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.uint8Array({ minLength: 900, maxLength: 1100 }),
    fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.constant("all" as const),
  ));
  fc.assert(fc.property(acts, (acts) => {
    const queue = new ByteQueue();
    let expected: number[] = [];
    for (const act of acts) {
      if (act instanceof Uint8Array) {
        queue.push(act, 1, Math.max(0, act.length - 1));
        expected.push(...act.subarray(1));
      } else if (act === "all") equal([...queue.all()], expected);
      else {
        const size = Math.floor(act.drop * expected.length);
        queue.drop(size);
        expected = expected.slice(size);
      }
      equal(queue.size, expected.length);
      equal([...queue.first()], expected.slice(0, queue.first().length));
      equal(queue.first().length === 0, expected.length === 0);
    }
    equal([...queue.all()], expected);
  }));
});

Deno.test("what was pushed is copied", () => {
  const queue = new ByteQueue(), bytes = new Uint8Array([1, 2, 3]);
  queue.push(bytes, 0, 3);
  bytes.fill(9);
  equal([...queue.all()], [1, 2, 3]);
});

Deno.test("what is lent is shown where it lies, and what is left of it outlives its owner", () => {
  const queue = new ByteQueue(), owners = Uint8Array.of(0, 1, 2, 3, 4);
  queue.lend(owners, 1, 3);
  equal([queue.size, queue.first().buffer === owners.buffer, [...queue.all()]], [3, true, [1, 2, 3]]);
  queue.drop(1);
  queue.own();
  owners.fill(9);
  equal([...queue.all()], [2, 3]);
  queue.drop(2);
  queue.lend(owners, 0, 1);
  queue.push(Uint8Array.of(5), 0, 1);
  owners.fill(8);
  equal([...queue.all()], [9, 5]);
  queue.drop(2);
  queue.lend(owners, 0, 2);
  queue.drop(2);
  queue.own();
  equal([queue.size, queue.first().length], [0, 0]);
});

Deno.test("what comes in little pieces shares its blocks", () => {
  const queue = new ByteQueue(), blocks = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100_000; i++) queue.push(Uint8Array.of(i), 0, 1);
  for (let i = 0; i < 100_000;) {
    const first = queue.first();
    blocks.add(first.buffer);
    equal([first[0], first.at(-1)], [i % 256, (i + first.length - 1) % 256]);
    i += first.length;
    queue.drop(first.length);
  }
  equal([queue.size, blocks.size < 30], [0, true]);
});
