import { LogWriter } from "../../gate/log_writer.ts";
import { equal, ok } from "../support/assert.ts";

const lost = (lines: number): string => `${lines} lost\n`;

/** A log whose reader takes `most` bytes at a time, and only when it is told to. */
function reader(most: number) {
  let text = "", resume: (() => void) | undefined;
  const sink = async (bytes: Uint8Array): Promise<number> => {
    await new Promise<void>((done) => resume = done);
    const taken = bytes.subarray(0, most);
    text += new TextDecoder().decode(taken);
    return taken.length;
  };
  const take = async (enough: () => boolean) => {
    while (!enough()) {
      resume?.();
      await Promise.resolve();
    }
  };
  return { sink, take, text: () => text };
}

Deno.test("lines leave in order, however little is taken at a time", async () => {
  const { sink, take, text } = reader(3);
  const log = new LogWriter(sink, lost);
  for (const line of ["one\n", "two\n", "three\n"]) log.write(line);
  await take(() => text().length === 14);
  log.write("four\n");
  await take(() => text().length === 19);
  equal(text(), "one\ntwo\nthree\nfour\n");
});

Deno.test("a line that comes just when the last one has left is written too, however many turns later", async () => {
  for (let turns = 0; turns < 12; turns++) {
    let text = "";
    const log = new LogWriter((bytes) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    }, lost);
    log.write("one\n");
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    log.write("two\n");
    await log.flush(1000);
    equal(text, "one\ntwo\n", `${turns} turns later`);
  }
});

Deno.test("who does not read holds nobody: what waits is bounded, and what was lost is told", async () => {
  const { sink, take, text } = reader(1 << 20);
  const log = new LogWriter(sink, lost);
  const line = `${"x".repeat(1023)}\n`;
  for (let n = 0; n < 10_000; n++) log.write(line);
  await log.flush(1); // gives up: nobody reads
  equal(text(), "");
  await take(() => text().endsWith(" lost\n"));
  equal(text().split("\n").length - 2, 4096);
  ok(text().endsWith(`\n${10_000 - 4096} lost\n`));
  equal(log.lost, 10_000 - 4096);
  log.write("again\n");
  await take(() => text().endsWith("again\n"));
});

Deno.test("a log that fails loses its lines and nothing else, and says so once it works again", async () => {
  let broken = true, text = "";
  const log = new LogWriter((bytes) => {
    if (broken) return Promise.reject(new Deno.errors.BrokenPipe("nobody reads"));
    text += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  }, lost);
  log.write("one\ntwo\n");
  await log.flush(1000);
  broken = false;
  log.write("three\n");
  await log.flush(1000);
  equal(text, "three\n2 lost\n");
  equal(log.lost, 2);
});
