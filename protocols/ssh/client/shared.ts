/** One connection to a gate, shared by all streams that go through it. */
import { formatTarget, isUnixHost, type Target } from "../../../gate/address.ts";
import { asGateError, GateError } from "../../../gate/errors.ts";
import { after, promiseResolved } from "../../../gate/engine/loop.ts";
import type { Stream } from "../../../gate/streams.ts";
import type { Answer } from "../channels/answers.ts";
import { Connection, type ConnectionEvents } from "../channels/connection.ts";
import type { Opening } from "../channels/opening.ts";
import { KeepAlive } from "../keep_alive.ts";
import { BY_APPLICATION, PROHIBITED } from "../numbers.ts";
import type { Transport } from "../transport.ts";
import { encoded, type Reader } from "../wire.ts";

/** Streams of one connection; beyond, there is another one. */
export const MOST_STREAMS = 256;
/** One that nobody uses is kept for so long, ms. */
export const IDLE_TIME = 60_000;
const NOTHING = new Uint8Array(0);

export class SharedConnection implements ConnectionEvents {
  readonly #transport: Transport;
  readonly #connection: Connection;
  readonly #keepAlive: KeepAlive;
  /** It is over: nothing is opened any more. */
  readonly #gone: (connection: SharedConnection) => void;
  readonly #idleTime: number;
  #streams = 0;
  /** The server has no places left: what is open goes on. */
  #full = false;
  #over = false;
  #cancelIdle: (() => void) | undefined;

  /** Gets the messages of a transport that is logged in. `roundTrip`: as Secured has it. */
  constructor(
    transport: Transport,
    roundTrip: number,
    gone: (connection: SharedConnection) => void,
    idleTime = IDLE_TIME,
  ) {
    this.#transport = transport;
    this.#idleTime = idleTime;
    this.#gone = gone;
    this.#connection = new Connection(transport, this, { most: MOST_STREAMS, roundTrip });
    this.#keepAlive = new KeepAlive(this.#connection);
    this.#rest();
  }

  /** Another stream may be opened. */
  get isUsable(): boolean {
    return !this.#over && !this.#full && this.#connection.channels < MOST_STREAMS;
  }

  /** Rejects with GateError, "exhausted" where there is no room on this connection; `signal` gives up with its reason. */
  open(target: Target, signal: AbortSignal): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const { type, data } = openingOf(target);
      let waits = true, counted = true;
      const left = () => {
        if (counted) this.#left();
        counted = false;
      };
      const settle = (reason?: GateError) => {
        if (!waits) return;
        waits = false;
        channel.stream.onGone = undefined;
        signal.removeEventListener("abort", abort);
        promiseResolved();
        if (reason) reject(reason);
        else resolve(channel.stream);
      };
      const abort = () => {
        const reason = asGateError(signal.reason);
        settle(reason);
        channel.stream.abort(reason);
        left(); // it may be confirmed much later, or never
      };
      const channel = this.#connection.open(type, data, { opened: () => settle(), closed: left });
      this.#entered();
      channel.stream.onGone = (reason) => {
        if (reason.failure === "exhausted") this.#full = true;
        const act = `Cannot reach ${formatTarget(target)} through SSH`;
        settle(new GateError(reason.failure, reason.side, act, reason));
      };
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
  }

  /** Ends it, and what goes through it. */
  close(): void {
    if (this.#over) return;
    this.#transport.disconnect(BY_APPLICATION, "closed");
    this.#connection.broke(new GateError("closed", "gate", "Cannot go on: the gate stops"));
  }

  // Of the connection.

  /** Nobody was asked to come in here. */
  opens(opening: Opening): void {
    opening.refuse(PROHIBITED, "not here");
  }

  request(_name: string, _from: Reader, answer: Answer | undefined): void {
    answer?.no();
  }

  broke(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelIdle?.();
    this.#keepAlive[Symbol.dispose]();
    this.#gone(this);
  }

  #entered(): void {
    this.#streams++;
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
  }

  #left(): void {
    this.#streams--;
    if (this.#streams === 0 && !this.#over) this.#rest();
  }

  #rest(): void {
    this.#cancelIdle = after(this.#idleTime, () => this.close());
  }
}

/** direct-tcpip (RFC 4254 7.2), or for unix sockets direct-streamlocal (PROTOCOL of OpenSSH, 2.4). Throws GateError. */
function openingOf({ host, port }: Target): { readonly type: string; readonly data: Uint8Array } {
  if (!isUnixHost(host)) {
    // Who asked is nobody's business there.
    const data = encoded((to) => to.text(host).uint32(port).text("127.0.0.1").uint32(0));
    return { type: "direct-tcpip", data };
  }
  const path = host.slice("unix:".length);
  if (!path.startsWith("/")) {
    throw new GateError("unsupported", "gate", `Cannot reach ${host} through SSH: it has no path`);
  }
  const data = encoded((to) => to.text(path).string(NOTHING).uint32(0));
  return { type: "direct-streamlocal@openssh.com", data };
}
