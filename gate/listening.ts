/** The listening sockets: one for each address, kept over reloads, handed from one listener to another. */
import { formatTarget, type Target } from "./address.ts";
import type { ListeningSocket } from "./engine/bind.ts";
import { asGateError, GateError } from "./errors.ts";
import { inTime } from "./in_time.ts";
import type { Bound } from "./orders.ts";

/** An address that a listener of the configuration has. */
export interface Wanted {
  readonly listener: string;
  readonly address: Target;
  /** Where it is written. */
  readonly place?: string;
}

interface Open {
  readonly wanted: Wanted;
  readonly socket: ListeningSocket;
}

/** What engines do with listening sockets. */
export interface Watching {
  listen(bound: Bound): void;
  /** Resolves when no engine watches it any more: who was in its queue is accepted then. Never rejects. */
  unlisten(bound: Bound): Promise<void>;
}

/** So long who changes what listens waits for engines to let go of a socket, ms; it is closed when they do. */
const LEAVE_TIME = 5000;

/** What will listen, and what then will not; nothing of it is in force before commit. */
export interface Change {
  readonly open: readonly Open[];
  readonly leaving: readonly Open[];
}

export class Listening {
  /** Who engines may be told to watch: one that is leaving is no more among them. */
  #open: readonly Open[] = [];
  readonly #make: (wanted: Wanted) => ListeningSocket;
  readonly #watching: Watching;
  readonly #leaveTime: number;
  /** What close() closed; undefined: it was not called. */
  #ended: ReadonlySet<ListeningSocket> | undefined;

  /** `make` binds, or throws GateError. `leaveTime` in ms: what tests need shorter. */
  constructor(make: (wanted: Wanted) => ListeningSocket, watching: Watching, leaveTime = LEAVE_TIME) {
    this.#make = make;
    this.#watching = watching;
    this.#leaveTime = leaveTime;
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
    if (this.#ended) throw new GateError("closed", "gate", "Cannot listen: the gate stops");
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

  /** Those that stay, and are another listener's when it holds: engines hear of them with its rules. */
  handed({ open }: Change): readonly Bound[] {
    const listeners = new Map(this.#open.map(({ socket, wanted }) => [socket, wanted.listener]));
    const isHanded = ({ socket, wanted }: Open) =>
      (listeners.get(socket) ?? wanted.listener) !== wanted.listener;
    return open.filter(isHanded).map(boundOf);
  }

  /** It holds from now on; resolves when what is leaving is closed, or an engine is late to let go of it. */
  async commit({ open, leaving }: Change): Promise<void> {
    const ended = this.#ended;
    if (ended) { // while this change was on its way
      for (const { socket } of [...open, ...leaving]) if (!ended.has(socket)) socket.close();
      return;
    }
    const before = new Set(this.#open.map(({ socket }) => socket));
    this.#open = open;
    for (const each of open) {
      if (!before.has(each.socket)) this.#watching.listen(boundOf(each));
    }
    await this.#close(leaving);
  }

  /** Nothing listens any more. Resolves as commit() does. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    this.#ended ??= new Set(open.map(({ socket }) => socket));
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
    this.#open = this.#open.filter((open) => !leaving.includes(open)); // an engine may start while they close
    const watched = await this.#close(leaving);
    try {
      if (watched.length > 0) throw stillWatched(watched);
      for (const wanted of late) made.push({ wanted, socket: this.#make(wanted) });
    } catch (thrown) {
      for (const { socket } of made.splice(0)) socket.close();
      this.#restore(leaving.filter((open) => !watched.includes(open)), asGateError(thrown));
      throw thrown;
    }
  }

  /** Those of them that cannot be bound again do not listen any more, and are bound by the next change that wants them. */
  #restore(closed: readonly Open[], cause: GateError): void {
    if (this.#ended) return; // the gate stops: nothing listens any more
    const lost: string[] = [];
    for (const { wanted, socket } of closed) {
      const same = { listener: wanted.listener, address: socket.address }; // its port, where the kernel chose it
      try {
        const restored = { wanted, socket: this.#make(same) };
        this.#open = [...this.#open, restored];
        this.#watching.listen(boundOf(restored));
      } catch (thrown) {
        lost.push(asGateError(thrown).message);
      }
    }
    if (lost.length > 0) {
      throw new GateError(cause.failure, "gate", [cause.message, ...lost].join("; "), cause.cause);
    }
  }

  /** Closes each when no engine watches it any more, and answers those that some still do when the time is over. */
  async #close(leaving: readonly Open[]): Promise<Open[]> {
    const watched = new Set(leaving);
    const closed = Promise.all(leaving.map(async (open) => {
      await this.#watching.unlisten(boundOf(open));
      open.socket.close(); // not earlier: its number may be another descriptor's at once, and an engine would watch that
      watched.delete(open);
    }));
    await inTime(closed, this.#leaveTime);
    return [...watched];
  }
}

function stillWatched(watched: readonly Open[]): GateError {
  const addresses = watched.map(({ socket }) => formatTarget(socket.address)).join(", ");
  return new GateError(
    "timeout",
    "gate",
    `Cannot close ${addresses}: an engine has not let go of it in time`,
  );
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
