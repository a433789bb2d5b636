/** Responses that nobody wants, of upstreams that do not stop to send. */
import type { Phase, Stream } from "../../../gate/streams.ts";
import { awaitResponse, discardResponse } from "../../../protocols/http/discard.ts";
import { equal, rejects } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";

/** Of each read, ms: several of them are a long turn. */
const SLOW = 1;

/** More is always there: `first`, and `rest` again and again. */
function endless(first: string, rest: string) {
  const [head, more] = [first, rest].map((text) => new TextEncoder().encode(text));
  let bytes = head, read = 0;
  const stream = {
    next<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T {
      for (const until = performance.now() + SLOW; performance.now() < until;);
      for (;;) {
        const result = use(bytes, "open");
        const used = typeof result === "number" ? 0 : result.used;
        const next = new Uint8Array(bytes.length - used + more.length);
        next.set(bytes.subarray(used));
        next.set(more, bytes.length - used);
        bytes = next;
        read += used;
        if (typeof result !== "number") return result;
      }
    },
  };
  return { stream: stream as unknown as Stream, read: () => read };
}

const CHUNK = `8000\r\n${"x".repeat(0x8000)}\r\n`;

Deno.test("content is thrown away up to a bound, and others get their turns meanwhile", () =>
  onLoop(async () => {
    const { stream, read } = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK);
    let turns = 0, over = false;
    const discarded = discardResponse(stream, 0).then((persists) => {
      over = true;
      return persists;
    });
    while (!over) {
      await pause(0);
      turns++;
    }
    equal([await discarded, read() > 500 * 1024, read() < 1500 * 1024], [false, true, true]);
    equal(turns > 1, true);
  }));

Deno.test("content that is too long to be read is not begun", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n";
  const { stream, read } = endless(head, "x".repeat(1024));
  equal([await discardResponse(stream, 0), read()], [false, head.length]);
});

Deno.test("interim responses that do not end are no response", async () => {
  const { stream } = endless("", "HTTP/1.1 100 Continue\r\n\r\n");
  await rejects(awaitResponse(stream, 0), /too many interim ones/);
});
