/**
 * One direction between two raw sockets. Small amounts go through a buffer of the thread: two system calls, and a short
 * read tells that the queue is drained. What fills the buffer is bulk: it is spliced through a pooled pipe and never
 * comes into user space.
 */
import type { Descriptor } from "./descriptor.ts";
import { EAGAIN, EINTR, SPLICE_F_MOVE_NONBLOCK } from "./layout.ts";
import { borrowPipe, type Pipe, PIPE_SIZE, returnPipe } from "./pool.ts";
import type { Inspect } from "./relay.ts";
import { errno, libc } from "./sys.ts";

/** Rounds of one direction before others get their turn. */
const TURNS = 16;
/** A splice that moves less than this ends bulk. */
const BULK_MIN = 16384;

const buffer = new Uint8Array(PIPE_SIZE);

export class Flow {
  readonly source: Descriptor;
  readonly sink: Descriptor;
  moved = 0;
  /** The source ended before the bytes that were asked for. */
  short = false;
  /** The source's FIN was passed on. */
  done = false;
  /** It goes on in the next turn: whoever pumps it asks once. */
  queued = false;
  #ended = false;
  #pipe: Pipe | undefined;
  #inPipe = 0;
  #unsent: Uint8Array | undefined;
  #bulk = false;
  /** Still to be read; Infinity: up to the end, which is then passed on. */
  #left: number;
  readonly #inspect: Inspect | undefined;

  /**
   * `held` goes first. With `bytes`, only so many are read after it, and the sink stays open. `inspect` sees the first
   * bytes, before there is bulk: what is spliced nobody sees.
   */
  constructor(source: Descriptor, sink: Descriptor, held: Uint8Array, bytes = Infinity, inspect?: Inspect) {
    this.source = source;
    this.sink = sink;
    this.#left = bytes;
    this.#inspect = inspect;
    if (held.length === 0) return;
    inspect?.(held, 0, held.length);
    this.#unsent = held;
  }

  /** Moves what can be moved now; true: there is more, give others a turn first. Throws GateError. */
  pump(): boolean {
    for (let turn = 0; turn < TURNS; turn++) {
      if (this.done) return false;
      if (this.#inPipe > 0) {
        if (!this.#drainPipe()) return false;
      } else if (this.#unsent) {
        if (!this.#sendUnsent()) return false;
      } else if (this.#ended || this.#left === 0) {
        this.#finish();
        return false;
      } else if (!this.source.readable) {
        return false;
      } else if (!(this.#bulk ? this.#fillPipe() : this.#pass())) {
        return false;
      }
    }
    return true;
  }

  /** Bytes were read that the sink does not take. */
  get stuck(): boolean {
    return this.#inPipe > 0 || this.#unsent !== undefined;
  }

  #finish(): void {
    this.done = true;
    this.short = this.#left > 0 && this.#left < Infinity;
    if (this.#left === Infinity) this.sink.shutdownWrite();
  }

  /** Lets go of the pipe. */
  close(): void {
    if (this.#pipe) returnPipe(this.#pipe, this.#inPipe === 0);
    this.#pipe = undefined;
  }

  /** Through the buffer; false: nothing more now. */
  #pass(): boolean {
    const size = this.source.recv(this.#left < buffer.length ? buffer.subarray(0, this.#left) : buffer);
    if (size < 0) return false;
    if (size === 0) return this.#ended = true;
    this.#inspect?.(buffer, 0, size);
    this.#left -= size;
    if (size === buffer.length && !this.source.urgent) this.#bulk = true;
    const sent = this.sink.send(buffer, size);
    this.moved += Math.max(0, sent);
    if (sent < size) this.#unsent = buffer.slice(Math.max(0, sent), size);
    return true;
  }

  #sendUnsent(): boolean {
    const unsent = this.#unsent!;
    const sent = this.sink.send(unsent);
    if (sent < 0) return false;
    this.moved += sent;
    this.#unsent = sent < unsent.length ? unsent.subarray(sent) : undefined;
    return true;
  }

  /** Only an empty pipe is filled, so EAGAIN means the socket and never the pipe. */
  #fillPipe(): boolean {
    const pipe = this.#pipe ??= borrowPipe();
    if (!pipe) { // no descriptor is left: it goes on through the buffer
      this.#bulk = false;
      return true;
    }
    const most = Math.min(pipe.size, this.#left);
    const size = libc.splice(this.source.open(), null, pipe.write, null, most, SPLICE_F_MOVE_NONBLOCK);
    if (size > 0) {
      this.#inPipe = size;
      this.#left -= size;
      if (size < BULK_MIN) this.#bulk = false;
      return true;
    }
    const code = size < 0 ? errno() : 0;
    if (code === EINTR) return true;
    this.close();
    // Splice stops at the mark of urgent data for good, and behind a FIN calls that the end, maybe before the loop has
    // told of it: a read passes it, and knows the end.
    if (size === 0 || this.source.urgent) {
      this.#bulk = false;
      return true;
    }
    if (code !== EAGAIN) throw this.source.failure(code, "read");
    this.source.readable = false;
    return false;
  }

  #drainPipe(): boolean {
    const size = libc.splice(
      this.#pipe!.read,
      null,
      this.sink.open(),
      null,
      this.#inPipe,
      SPLICE_F_MOVE_NONBLOCK,
    );
    if (size > 0) {
      this.#inPipe -= size;
      this.moved += size;
      if (this.#inPipe === 0 && !this.#bulk) this.close();
      return true;
    }
    const code = errno();
    if (code === EINTR) return true;
    if (code !== EAGAIN) throw this.sink.failure(code, "write");
    this.sink.writable = false;
    return false;
  }
}
