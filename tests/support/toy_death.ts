/** A toy protocol whose client kills the engine thread that serves it. */
import { stop } from "../../gate/engine/loop.ts";
import type { Protocol } from "../../gate/contracts.ts";

/** What such a client says first. */
export const DEATH = "DIE!";

const word = new TextEncoder().encode(DEATH);

export const death: Protocol = {
  naming: "nothing",
  sniff: (head) => {
    const size = Math.min(head.length, word.length);
    for (let i = 0; i < size; i++) if (head[i] !== word[i]) return false;
    return head.length >= word.length || word.length;
  },
  serve: () => {
    stop(); // the loop ends by itself: nothing of what it serves is closed
    return new Promise(() => {});
  },
};
