import fc from "fast-check";
import { ByteQueue } from "../../../gate/engine/byte_queue.ts";
import { equal } from "../../support/assert.ts";

Deno.test("whatever is pushed, dropped and joined, the bytes come out in order", () => {
  const acts = fc.array(fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
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
