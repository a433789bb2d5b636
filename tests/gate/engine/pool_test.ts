import { borrowPipe, openPipes, PIPE_SIZE, returnPipe } from "../../../gate/engine/pool.ts";
import { libc } from "../../../gate/engine/sys.ts";
import { equal, ok } from "../../support/assert.ts";

Deno.test("an empty pipe is used again, one with bytes in it is closed", () => {
  const before = openPipes();
  const first = borrowPipe(false);
  equal(openPipes(), before + 1);
  returnPipe(first, true);
  const second = borrowPipe(false);
  equal([second.read, second.write], [first.read, first.write]);
  libc.write(second.write, new Uint8Array(3), 3);
  returnPipe(second, false);
  equal(openPipes(), before);
});

Deno.test("large pipes hold more, and are not handed out for small ones", () => {
  const large = borrowPipe(true);
  ok(large.size >= PIPE_SIZE);
  returnPipe(large, true);
  if (large.size > PIPE_SIZE) {
    const small = borrowPipe(false);
    equal(small.size, PIPE_SIZE);
    returnPipe(small, true);
    const again = borrowPipe(true);
    equal(again.read, large.read);
    returnPipe(again, true);
  }
});

Deno.test("idle pipes are kept up to a bound", () => {
  for (const wantLarge of [false, true]) {
    const pipes = Array.from({ length: 100 }, () => borrowPipe(wantLarge));
    for (const pipe of pipes) returnPipe(pipe, true);
  }
  ok(openPipes() <= 128, `${openPipes()} are kept`);
});
