/** A toy protocol whose client hears what its engine thread has of libssl's, behind a collection where there is one. */
import type { Protocol } from "../../gate/contracts.ts";
import { liveConnections } from "../../gate/engine/openssl.ts";
import { liveContexts } from "../../gate/engine/openssl_context.ts";

/** What such a client says first. */
export const CENSUS = "HOW MANY?";

/** Of one thread. */
export interface Census {
  readonly thread: string;
  /** SSL and SSL_CTX that were made and not freed. */
  readonly connections: number;
  readonly contexts: number;
}

const word = new TextEncoder().encode(CENSUS), thread = crypto.randomUUID();

export const census: Protocol = {
  naming: "nothing",
  sniff: (head) => {
    const size = Math.min(head.length, word.length);
    for (let i = 0; i < size; i++) if (head[i] !== word[i]) return false;
    return head.length >= word.length || word.length;
  },
  serve: async ({ stream }) => {
    (globalThis as { gc?: () => void }).gc?.();
    const told: Census = { thread, connections: liveConnections.count, contexts: liveContexts.count };
    await stream.write(new TextEncoder().encode(JSON.stringify(told)));
    await stream.closeWrite();
  },
};
