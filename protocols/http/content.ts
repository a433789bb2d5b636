/** Content on its way from one stream to the other: what came with its head went on with it, this is the rest. */
import type { Gate } from "../../gate/contracts.ts";
import type { Pace, Phase, Progress, Stream } from "../../gate/streams.ts";
import { tooSlow } from "../../gate/engine/copy_clock.ts";
import { giveWay } from "../../gate/engine/loop.ts";
import { GateError, type Side } from "../../gate/errors.ts";
import { ChunkedBody, chunkPieces } from "./chunked.ts";
import type { Body } from "./message_head.ts";
import { copyOctets } from "./octets.ts";
import { failureOf } from "./status.ts";

/** From so many octets on it is spliced. */
const SPLICED = 16 * 1024;
/** Octets of one copy: what they are is counted behind it. */
const SLICE = 64 * 1024 * 1024;
const PIECES = chunkPieces();
const OUT = new Uint8Array(2 * 65536);

/** What one message's content is, and how much of it has gone on. */
export class Content {
  body: Body = "none";
  /** Octets of it that still come, where its length is known. */
  left = 0;
  /** Octets of it that went on; of chunks, with their lines. What a copy moves comes to it when that is over. */
  moved = 0;
  /** The copy that is under way. */
  copying: Progress | undefined;
  /** Octets that `place` used. */
  used = 0;
  chunks: ChunkedBody | undefined;

  /** `most`, `framed` and `gone` as ChunkedBody has them. */
  begin(body: Body, length: number, framed: boolean, most = Infinity, gone?: readonly Uint8Array[]): void {
    this.body = body;
    this.moved = this.used = 0;
    this.left = body === "length" ? length : body === "close" ? Infinity : 0;
    this.chunks = body === "chunked" ? new ChunkedBody(framed, most, gone) : undefined;
  }

  /** Octets of it that went on by now. */
  get passed(): number {
    return this.moved + (this.copying?.moved ?? 0);
  }

  get done(): boolean {
    return this.chunks ? this.chunks.done : this.left === 0;
  }

  /**
   * Puts what `bytes` has of it, from `from` on, into `out` at `at`, as far as there is room; where it ends there. `used`
   * tells how many octets of `bytes` that were. Throws GateError where it cannot be read.
   */
  place(bytes: Uint8Array, from: number, out: Uint8Array, at: number, side: Side): number {
    if (!this.chunks) {
      const size = Math.min(this.left, bytes.length - from, out.length - at);
      this.#moved(this.used = size);
      return copyOctets(bytes, from, from + size, out, at);
    }
    this.used = 0;
    const last = Math.min(bytes.length, from + out.length - at);
    if (from === last || this.chunks.done) return at;
    const used = this.chunks.decode(bytes, from, last, PIECES);
    if (typeof used !== "number") throw failureOf(used, side, "content");
    this.used = used;
    let end = at;
    for (let i = 0; i < PIECES.count; i++) {
      end = copyOctets(bytes, PIECES.at[i], PIECES.at[i] + PIECES.size[i], out, end);
    }
    this.moved += end - at;
    return end;
  }

  /** So many octets went on without being looked at. */
  skip(octets: number): void {
    if (this.chunks) {
      this.chunks.skip(octets);
      this.moved += octets;
    } else this.#moved(octets);
  }

  /** Octets that may go on without being looked at. */
  get unread(): number {
    return this.chunks ? this.chunks.left : this.left;
  }

  #moved(octets: number): void {
    this.left -= octets;
    this.moved += octets;
  }
}

/** How content is passed on. */
export interface Passing {
  readonly gate: Gate;
  readonly pace: Pace;
  readonly side: Side;
  /** Whether the other direction is quiet, so that the streams may be moved to where bytes flow. */
  readonly free: () => boolean;
  /** What went on, unless it was copied without being looked at; valid during the call. */
  readonly seen?: (bytes: Uint8Array) => void;
  /** Something has to be waited for: bytes of the source, room in the sink, or a copy, which keeps the pace itself. */
  readonly waits: (what: "source" | "sink" | "copy") => void;
}

/** Until all of it has gone on. Rejects with GateError; "closed" where the source ends before its content. */
export async function passContent(
  from: Stream,
  to: Stream,
  content: Content,
  passing: Passing,
): Promise<void> {
  const began = performance.now();
  const step: { used: number; wrote: void | Promise<void>; end: boolean } = {
    used: 0,
    wrote: undefined,
    end: false,
  };
  const use = (bytes: Uint8Array, phase: Phase) => {
    step.end = phase !== "open" && bytes.length === 0;
    if (bytes.length === 0 && phase === "open") return 1;
    const size = content.place(bytes, 0, OUT, 0, passing.side);
    step.used = content.used;
    step.wrote = undefined;
    if (size > 0) {
      const piece = OUT.subarray(0, size);
      step.wrote = to.write(piece);
      passing.seen?.(piece);
    }
    if (step.used === 0 && !content.done && !step.end) {
      if (phase === "open") return bytes.length + 1;
      step.end = true; // in the middle of a chunk's line
    }
    step.end &&= !content.done;
    if (phase === "late") throw tooSlow(passing.side, "sends too slowly");
    return step;
  };
  while (!content.done) {
    if (content.unread >= SPLICED && passing.free()) {
      await copySlice(from, to, content, passing);
      continue;
    }
    const came = from.next(use);
    if (came instanceof Promise) {
      passing.waits("source");
      await came;
    }
    if (step.end) {
      if (content.body === "close") return;
      throw new GateError("closed", passing.side, "Cannot pass content on: the end came first");
    }
    if (step.wrote instanceof Promise) {
      passing.waits("sink");
      await step.wrote;
    }
    const elapsed = performance.now() - began, { source, least } = passing.pace;
    if (elapsed > source && content.moved < elapsed / 1000 * least) {
      throw tooSlow(passing.side, "sends too slowly");
    }
    const turn = giveWay();
    if (turn) await turn;
  }
}

async function copySlice(from: Stream, to: Stream, content: Content, passing: Passing): Promise<void> {
  const size = content.body === "close" ? Infinity : Math.min(content.unread, SLICE);
  passing.waits("copy");
  try {
    await passing.gate.copy(from, to, size, passing.pace, (progress) => content.copying = progress);
  } finally {
    const moved = content.copying?.moved ?? 0;
    content.copying = undefined;
    content.skip(moved);
  }
  if (size === Infinity) content.left = 0;
}
