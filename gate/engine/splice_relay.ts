/** A relay of two raw sockets. */
import { asGateError, type GateError } from "../errors.ts";
import type { Expiring } from "./deadlines.ts";
import type { Descriptor, Mover } from "./descriptor.ts";
import { Flow } from "./flow.ts";
import { EPOLLERR } from "./layout.ts";
import { again, deadlines, now } from "./loop.ts";
import {
  endedAlone,
  idleTooLong,
  type Inspect,
  type Relay,
  type RelayOwner,
  type RelayPatience,
} from "./relay.ts";
import type { Socket } from "./socket.ts";
import { tuneKeepalive } from "./sys.ts";

/** Lives of less than this never pay for keepalive, ms. */
const KEEPALIVE_AFTER = 10_000;

export class SpliceRelay implements Relay, Mover, Expiring {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #toUpstream: Flow;
  readonly #toClient: Flow;
  readonly #owner: RelayOwner;
  readonly #patience: RelayPatience;
  readonly #slot: number;
  #active: number;
  #kept = false;
  #halfOpen = false;
  #over = false;

  constructor(
    client: Socket,
    upstream: Socket,
    patience: RelayPatience,
    owner: RelayOwner,
    inspect?: Inspect,
  ) {
    this.#client = client;
    this.#upstream = upstream;
    this.#toUpstream = new Flow(client, upstream, client.unread(), Infinity, inspect);
    this.#toClient = new Flow(upstream, client, upstream.unread());
    this.#owner = owner;
    this.#patience = patience;
    this.#active = now;
    this.#slot = deadlines.claim(this);
    client.given = upstream.given = true;
    client.mover = upstream.mover = this;
    deadlines.set(this.#slot, now + Math.min(patience.open, KEEPALIVE_AFTER));
  }

  get up(): number {
    return this.#toUpstream.moved;
  }

  get down(): number {
    return this.#toClient.moved;
  }

  moved(socket: Descriptor, events: number): void {
    if (this.#over) return;
    if (events & EPOLLERR) {
      const failure = socket.pendingFailure();
      if (failure) return this.#end(failure);
    }
    const from = socket === this.#client ? this.#toUpstream : this.#toClient;
    const to = socket === this.#client ? this.#toClient : this.#toUpstream;
    if (socket.readable) this.#pump(from);
    if (socket.writable && !this.#over) this.#pump(to);
  }

  gone(_socket: Descriptor, reason: GateError): void {
    this.#end(reason);
  }

  abort(reason: GateError): void {
    this.#end(reason);
  }

  expired(): void {
    const { open, halfOpen } = this.#patience, since = now - this.#active;
    if (since >= open) return this.#end(idleTooLong());
    if (this.#halfOpen && since >= halfOpen) return this.#end(endedAlone(this.#ended.side));
    if (this.#halfOpen) this.#ended.probe();
    else if (!this.#kept) {
      this.#kept = true;
      tuneKeepalive(this.#client.fd, this.#client.family);
      tuneKeepalive(this.#upstream.fd, this.#upstream.family);
    }
    deadlines.set(this.#slot, this.#active + (this.#halfOpen ? Math.min(open, halfOpen) : open));
  }

  start(): void {
    this.#pump(this.#toUpstream);
    if (!this.#over) this.#pump(this.#toClient);
  }

  #pump(flow: Flow): void {
    const before = flow.moved;
    try {
      if (flow.pump() && !flow.queued) {
        flow.queued = true;
        again(() => {
          flow.queued = false;
          if (!this.#over) this.#pump(flow);
        });
      }
    } catch (thrown) {
      return this.#end(asGateError(thrown));
    }
    if (flow.moved !== before) this.#active = now;
    if (!flow.done) return;
    if (this.#toUpstream.done && this.#toClient.done) return this.#end(undefined);
    if (!this.#halfOpen) this.#beginHalfOpen();
  }

  #beginHalfOpen(): void {
    const { open, halfOpen } = this.#patience;
    this.#halfOpen = true;
    this.#active = now;
    deadlines.set(this.#slot, now + Math.min(open, halfOpen, KEEPALIVE_AFTER));
  }

  /** The one that has ended, where the other has not. */
  get #ended(): Socket {
    return this.#toUpstream.done ? this.#client : this.#upstream;
  }

  /**
   * A server that resets after its end was passed on had said everything: it only refused what the client still sent,
   * as a rule a TLS close_notify. That is no failure; a client that does so gave up on an answer, which is one.
   */
  #end(broke: GateError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const complete = broke?.failure === "reset" && broke.side === "upstream" && this.#toClient.done;
    const failure = complete ? undefined : broke;
    deadlines.release(this.#slot);
    for (const socket of [this.#client, this.#upstream]) {
      socket.mover = undefined;
      if (failure) socket.reset(failure);
      else socket.close();
    }
    this.#toUpstream.close();
    this.#toClient.close();
    this.#owner.relayed(this.up, this.down, failure);
  }
}
