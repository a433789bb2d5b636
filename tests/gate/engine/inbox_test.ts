import { Inbox } from "../../../gate/engine/inbox.ts";
import type { Taker } from "../../../gate/streams.ts";
import { equal } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { same } from "../../conformance/stream.ts";

/** What a layer opened lies where the next record will. */
function hand(inbox: Inbox, bytes: Uint8Array): void {
  const shared = bytes.slice();
  inbox.take(shared, 0, shared.length);
  inbox.flush();
  shared.fill(0);
}

Deno.test("what who polls leaves is the inbox's own when the layer's call returns", () => {
  const inbox = new Inbox(() => {}), bytes = pattern(100);
  inbox.whenReadable(() => inbox.queue.drop(20));
  hand(inbox, bytes);
  hand(inbox, bytes);
  equal(inbox.queue.size, 180);
  same(inbox.queue.all(), Uint8Array.from([...bytes.subarray(20), ...bytes]));
});

Deno.test("who joins while polling takes the rest within the layer's call", () =>
  onLoop(() => {
    const inbox = new Inbox(() => {}), bytes = pattern(100), taken: Uint8Array[] = [];
    const nothing = () => {};
    const taker: Taker = {
      take: (from, at, size) => taken.push(from.slice(at, at + size)),
      flush: nothing,
      room: nothing,
      end: nothing,
      broke: nothing,
    };
    inbox.whenReadable(() => {
      inbox.queue.drop(20);
      inbox.join(taker, 50);
    });
    hand(inbox, bytes);
    equal(taken.length, 1);
    same(taken[0], bytes.subarray(20, 70));
    same(inbox.queue.all(), bytes.subarray(70));
    return Promise.resolve();
  }));
