/** The thread that orders certificates, as its entry file starts it: it carries out orders until main ends it. */
import type { Command, Told } from "./messages.ts";
import { Authority, reasonOf, retryAfterOf, Unproven } from "./authority.ts";

type Order = Extract<Command, { op: "order" }>;

const tell = (told: Told): void => self.postMessage(told);
/** Orders that wait until what they asked for is published. */
const waiting = new Map<number, () => void>();

/** The terms come first. */
export function startOrders(): void {
  let authority: Authority;
  self.addEventListener("message", ({ data: command }: MessageEvent<Command>) => {
    if (command.op === "start") authority = new Authority(command.terms);
    else if (command.op === "order") void carryOut(authority, command);
    else waiting.get(command.id)?.();
  });
}

/** Never rejects. */
async function carryOut(authority: Authority, { id, name, challenge }: Order): Promise<void> {
  try {
    const pair = await authority.certify(name, challenge, (challenges) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(id, resolve);
      tell({ op: "publish", id, challenges });
      return promise;
    });
    tell({ op: "issued", id, pair });
  } catch (thrown) {
    const unproven = thrown instanceof Unproven;
    tell({ op: "failed", id, reason: reasonOf(thrown), unproven, retryAfter: retryAfterOf(thrown) });
  } finally {
    waiting.delete(id);
  }
}
