/** A toy protocol whose client hears what its engine thread has of libssl's and in its heap, behind a collection where there is one. */
import v8 from "node:v8";
import type { Protocol } from "../../gate/contracts.ts";
import { liveConnections } from "../../gate/engine/openssl.ts";
import { liveContexts } from "../../gate/engine/openssl_context.ts";

/** What such a client says first. */
export const CENSUS = "HOW MANY?";
/** The event under which a main thread logs what its heap has taken, bytes. */
export const HEAP = "heap";

/** Of one thread. */
export interface Census {
  readonly thread: string;
  /** SSL and SSL_CTX that were made and not freed. */
  readonly connections: number;
  readonly contexts: number;
  /** Bytes that objects of this thread take, in V8's heap and outside of it. */
  readonly heap: number;
  /** Bytes that the whole process has from malloc and has not given back: what is free in its arenas does not count. */
  readonly allocated: number;
}

/** Of all threads of a gate. */
export interface Counted {
  /** Of the main thread. */
  readonly heap: number;
  readonly threads: readonly Census[];
}

/** Bytes of the heap that are taken, of the thread that asks. */
export function heapTaken(): number {
  const { used_heap_size, external_memory } = v8.getHeapStatistics();
  return used_heap_size + external_memory;
}

/** mallinfo2(3), ten words: uordblks and hblkhd are what is in use, in arenas and in mappings of its own. */
const libc = Deno.dlopen("libc.so.6", {
  mallinfo2: { parameters: [], result: { struct: Array<"usize">(10).fill("usize") } },
});

function allocated(): number {
  const words = libc.symbols.mallinfo2(), view = new DataView(words.buffer, words.byteOffset);
  const word = (at: number) => Number(view.getBigUint64(8 * at, true));
  return word(7) + word(4);
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
    const told: Census = {
      thread,
      connections: liveConnections.count,
      contexts: liveContexts.count,
      heap: heapTaken(),
      allocated: allocated(),
    };
    await stream.write(new TextEncoder().encode(JSON.stringify(told)));
    await stream.closeWrite();
  },
};
