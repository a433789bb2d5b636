/** The listening sockets: one for each address, kept over reloads, handed from one listener to another. */
import { formatTarget } from "./address.ts";
import type { Target } from "./contracts.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import { asGateError, type GateError } from "./errors.ts";
import type { Bound } from "./orders.ts";

/** An address that a listener of the configuration has. */
export interface Wanted {
  readonly listener: string;
  readonly address: Target;
}

interface Open {
  readonly wanted: Wanted;
  readonly socket: ListeningSocket;
}

/** What engines do with listening sockets. */
export interface Watching {
  listen(bound: Bound): void;
  /** Resolves when no engine watches it any more: who was in its queue is accepted then. */
  unlisten(bound: Bound): Promise<void>;
}

/** What will listen, and what then will not; nothing of it is in force before commit. */
export interface Change {
  readonly open: readonly Open[];
  readonly leaving: readonly Open[];
}

export class Listening {
  #open: readonly Open[] = [];
  readonly #make: (wanted: Wanted) => ListeningSocket;
  readonly #watching: Watching;

  /** `make` binds, or throws GateError. */
  constructor(make: (wanted: Wanted) => ListeningSocket, watching: Watching) {
    this.#make = make;
    this.#watching = watching;
  }

  /** What listens, with the ports that the kernel chose. */
  get bound(): readonly Bound[] {
    return this.#open.map(boundOf);
  }

  addresses(change?: Change): readonly Target[] {
    return (change?.open ?? this.#open).map(({ socket }) => socket.address);
  }

  /**
   * Binds what is new. Throws GateError where something cannot be bound; what listened goes on then. An address that
   * one which is leaving keeps busy (`:443` where 127.0.0.1:443 was) is bound when that one is closed.
   */
  async prepare(wanted: readonly Wanted[]): Promise<Change> {
    const leaving = new Set(this.#open);
    const kept: Open[] = [], missing: Wanted[] = [];
    for (const each of wanted) {
      const found = find(leaving, each);
      if (!found) missing.push(each);
      else {
        leaving.delete(found);
        kept.push({ wanted: each, socket: found.socket });
      }
    }
    const made: Open[] = [];
    try {
      const late = missing.filter((each) => !this.#tryMake(each, made, leaving.size > 0));
      if (late.length === 0) return { open: [...kept, ...made], leaving: [...leaving] };
      await this.#swap([...leaving], late, made);
      return { open: [...kept, ...made], leaving: [] };
    } catch (thrown) {
      for (const { socket } of made) socket.close();
      throw thrown;
    }
  }

  /** It holds from now on; resolves when what is leaving is closed. */
  async commit({ open, leaving }: Change): Promise<void> {
    const before = this.#open;
    this.#open = open;
    for (const each of open) {
      const same = before.find(({ socket }) => socket === each.socket);
      if (same?.wanted.listener !== each.wanted.listener) this.#watching.listen(boundOf(each));
    }
    await this.#close(leaving);
  }

  /** Nothing listens any more. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    await this.#close(open);
  }

  /** Whether it was made; false: the address is in use, which may end. */
  #tryMake(wanted: Wanted, made: Open[], mayEnd: boolean): boolean {
    try {
      made.push({ wanted, socket: this.#make(wanted) });
      return true;
    } catch (thrown) {
      if (mayEnd && asGateError(thrown).failure === "refused") return false;
      throw thrown;
    }
  }

  /** Closes those that are leaving first, and binds them again where the others still cannot be bound. */
  async #swap(leaving: readonly Open[], late: readonly Wanted[], made: Open[]): Promise<void> {
    await this.#close(leaving);
    try {
      for (const wanted of late) made.push({ wanted, socket: this.#make(wanted) });
    } catch (thrown) {
      for (const { socket } of made.splice(0)) socket.close();
      this.#restore(leaving, asGateError(thrown));
      throw thrown;
    }
  }

  #restore(closed: readonly Open[], cause: GateError): void {
    const restored = closed.map(({ wanted, socket }) => {
      const same = { listener: wanted.listener, address: socket.address }; // its port, where the kernel chose it
      try {
        return { wanted, socket: this.#make(same) };
      } catch (thrown) {
        throw new AggregateError([cause, thrown], `${cause.message}; ${asGateError(thrown).message}`);
      }
    });
    const others = this.#open.filter((open) => !closed.includes(open));
    this.#open = [...others, ...restored];
    for (const open of restored) this.#watching.listen(boundOf(open));
  }

  async #close(leaving: readonly Open[]): Promise<void> {
    await Promise.all(leaving.map((open) => this.#watching.unlisten(boundOf(open))));
    for (const { socket } of leaving) socket.close();
  }
}

/** One at that address, this listener's own before another's. Port 0 is another port for everybody who asks for it. */
function find(open: ReadonlySet<Open>, { listener, address }: Wanted): Open | undefined {
  const same = [...open].filter(({ wanted }) => formatTarget(wanted.address) === formatTarget(address));
  const own = same.find(({ wanted }) => wanted.listener === listener);
  const free = !address.host.startsWith("unix:") && address.port === 0;
  return own ?? (free ? undefined : same[0]);
}

const boundOf = ({ wanted, socket }: Open): Bound => ({
  fd: socket.fd,
  listener: wanted.listener,
  address: formatTarget(socket.address),
});
