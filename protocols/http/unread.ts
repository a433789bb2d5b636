/** Content of requests that the gate answers itself: a little of it is thrown away, so that the connection goes on. */
import type { Phase, Stream } from "../../gate/streams.ts";
import type { Content } from "./content.ts";
import type { Exchange } from "./exchange.ts";
import { OUT } from "./forward.ts";

/** Octets that are waited for. */
const MOST_WAITED = 64 * 1024;

/** Takes the octets of the head, and of the content what is there with it. Answers how many those were. */
export async function skipPresent(client: Stream, head: number, content: Content): Promise<number> {
  const { used } = await client.next((bytes) => {
    try {
      content.place(bytes, head, OUT, 0, "client");
      return { used: head + content.used };
    } catch {
      return { used: head }; // which cannot be read: nothing that follows on this connection can be
    }
  });
  return used;
}

/** Whether where the request ends is certain, and near. A client that waits for a 100 may leave its content out. */
export function endsSoon({ up, sending, upFailure, expectContinue }: Exchange): boolean {
  if (up.done) return true;
  return up.body === "length" && up.left <= MOST_WAITED && !sending && !upFailure && !expectContinue;
}

/** Takes the rest of content that has a length. Whether all of it came; `late`: its time was over first. */
export async function skipRest(client: Stream, content: Content, late: () => void): Promise<boolean> {
  const step = { used: 0, over: false };
  const skip = (bytes: Uint8Array, phase: Phase) => {
    if (bytes.length === 0 && phase === "open") return 1;
    step.used = Math.min(bytes.length, content.left);
    content.skip(step.used);
    step.over = phase !== "open";
    if (phase === "late") late();
    return step;
  };
  while (!content.done && !step.over) await client.next(skip);
  return content.done;
}
