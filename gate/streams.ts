/**
 * Streams: bytes both ways, in the promise forms and in those without. What protocols serve and wrap, what the engine
 * relays and copies, and how far and how slow that may be.
 */
import type { GateError } from "./errors.ts";

/** More may come; the peer sent FIN; the time for first bytes is over. */
export type Phase = "open" | "ended" | "late";

/** Yes, no, or the bytes needed in all. */
export type Verdict = boolean | number;

/** The smallest thing that works: bytes both ways, half-close, reset, and the kernel socket where there is one. */
export interface Stream extends Disposable {
  /**
   * Shows `parse` what comes next, consuming nothing, again whenever more came, until it answers something but a
   * number (= bytes needed in all). `head` is valid during the synchronous call only. No promise where the answer is there.
   */
  look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): T | Promise<T>;
  /**
   * Reads. `use` runs synchronously on what there is and answers how much of it it used, or a number = bytes needed
   * in all; what it did not use is held by the stream and goes first. The bytes are valid during the call only.
   */
  next<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T | Promise<T>;
  /**
   * `next` for who waits without a promise: undefined where `use` has not answered yet, and `wake` is called once, from
   * the loop, when it is worth to poll again. One waits at a time. Throws what next would.
   */
  poll<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
    wake: () => void,
  ): T | undefined;
  /** 1 to into.length bytes; null: FIN; a reset throws. */
  read(into: Uint8Array): Promise<number | null>;
  /** Takes the first `size` bytes (all), or throws; they are free on return. */
  write(bytes: Uint8Array, size?: number): void | Promise<void>;
  /** Half-close: the peer sees FIN, reading goes on. */
  closeWrite(): Promise<void>;
  /** The peer sees a reset, never an end. */
  abort(reason: GateError): void;
  /** Raw streams: moves the kernel socket out; who takes it sends `held` first. */
  take?(): { fd: number; held: Uint8Array };
  /** Moves the stream to where bytes flow without promises: what relay, copy and a layer above use. */
  joint?(): Joint;
} // disposing a moved stream does nothing

/** A stream without promises: synchronous, never waits, calls nothing of its taker from inside its own methods. */
export interface Joint {
  /** Something of the peer waits that nobody looked at, events apart: asks the kernel where there is a socket below. */
  readonly hasSpoken?: boolean;
  /** What the peer sends goes to `to`, held bytes first; after `bytes` it stops. */
  join(to: Taker, bytes?: number): void;
  /**
   * Places for the next bytes to the peer, at most `most` of them and at least `least` (1); undefined: none now,
   * `to.room()` comes.
   */
  reserve(most: number, least?: number): Room | undefined;
  /** So many bytes of the reserved places are filled: they leave with the batch, at the latest at the turn's end. */
  commit(bytes: number): void;
  /**
   * Where there is a socket right below: sends the first bytes of `bytes` behind what was committed, without places for
   * them, and keeps what the kernel refuses. false: nothing of it now, `to.room()` comes.
   */
  post?(bytes: Uint8Array, size: number): boolean;
  /** Taken bytes have left this gate: only this reopens the stream's window. */
  delivered(bytes: number): void;
  /** Back to the promise forms, nothing lost. */
  leave(): Stream;
  /** FIN behind what was committed. */
  end(): void;
  /** A reset. */
  abort(reason: GateError): void;
}

/** Who receives from a joint. */
export interface Taker {
  /** Where a socket right below had best receive to: nobody else uses it until it is taken. */
  readonly places?: Uint8Array;
  /** In order; the bytes are valid until flush(), which comes in the same turn. */
  take(bytes: Uint8Array, at: number, size: number): void;
  /** Send what was gathered, copy what the kernel refuses (the window bounds it). */
  flush(): void;
  /** reserve has room again; a connection calls its streams' in turn, a batch each. */
  room(): void;
  /** The peer's FIN, or the end of the bytes that were joined. */
  end(): void;
  /** The peer's reset. */
  broke(reason: GateError): void;
}

/** Reserved places: `pieces` of them, each `size[i]` bytes from `at[i]` in `bytes`. One per thread. */
export interface Room {
  bytes: Uint8Array;
  pieces: number;
  readonly at: Int32Array;
  readonly size: Int32Array;
}

/** How far a copy is: it stays true while bytes move, and once they do no more. */
export interface Progress {
  readonly moved: number;
}

/** How slow a copy may be: ms without a byte from the source, or taken by the sink; bytes/s of the source on average. */
export interface Pace {
  readonly source: number;
  readonly sink: number;
  readonly least: number;
}
