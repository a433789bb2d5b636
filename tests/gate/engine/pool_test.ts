import { borrowPipe, type Pipe, PIPE_SIZE, returnPipe } from "../../../gate/engine/pool.ts";
import { libc } from "../../../gate/engine/sys.ts";
import { equal, ok } from "../../support/assert.ts";
import { processState } from "../../support/process_state.ts";

/** Each has two descriptors. */
const openPipes = (): number => processState(Deno.pid).pipes / 2;

function borrow(): Pipe {
  const pipe = borrowPipe();
  ok(pipe, "no descriptor is left");
  return pipe;
}

Deno.test("an empty pipe is used again, one with bytes in it is closed", () => {
  const before = openPipes();
  const first = borrow();
  ok(first.size >= PIPE_SIZE);
  equal(openPipes(), before + 1);
  returnPipe(first, true);
  const second = borrow();
  equal(second, first);
  libc.write(second.write, new Uint8Array(3), 3);
  returnPipe(second, false);
  equal(openPipes(), before);
});

Deno.test("a pipe holds what it says", () => {
  const pipe = borrow();
  let held = 0;
  for (let n = 0; n >= 0; n = libc.write(pipe.write, new Uint8Array(PIPE_SIZE), PIPE_SIZE)) held += n;
  returnPipe(pipe, false);
  equal(held, pipe.size);
});

Deno.test("idle pipes are kept up to a bound", () => {
  const before = openPipes();
  for (const pipe of Array.from({ length: 100 }, borrow)) returnPipe(pipe, true);
  ok(openPipes() - before <= 32, `${openPipes() - before} are kept`);
});
