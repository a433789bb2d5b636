/**
 * The client's side of SSH as a layer: one connection for each gate, user, identity and thread, which all streams share.
 * The stream below is asked for only where there is none that lives.
 */
import { formatTarget, type Target } from "../../../gate/address.ts";
import type { Endpoint, Wrapping } from "../../../gate/contracts.ts";
import { asGateError, GateError } from "../../../gate/errors.ts";
import { nextTurn, now, promiseResolved } from "../../../gate/engine/loop.ts";
import type { Stream } from "../../../gate/streams.ts";
import { prepareHybrid } from "../kex/exchanges.ts";
import { connect, type Host } from "./connect.ts";
import { Setbacks } from "./setbacks.ts";
import type { SharedConnection } from "./shared.ts";

type Lower = () => Promise<Stream>;

/** Connections to one gate: what they do not carry has to wait until some end. */
const MOST_CONNECTIONS = 16;

/** Of one gate, as one user, by one identity. */
interface Gate {
  readonly connections: Set<SharedConnection>;
  /** On its way. */
  coming: Promise<SharedConnection> | undefined;
}

export class SshClient {
  readonly #gates = new Map<string, Gate>();
  /** By gate, user, identity, and the keys and known hosts of then. */
  readonly #setbacks = new Setbacks();
  readonly #idleTime: number | undefined;

  /** `idleTime`: ms that a connection is kept which nobody uses. */
  constructor(idleTime?: number) {
    this.#idleTime = idleTime;
  }

  /** How many there are connections to, or on their way. */
  get gates(): number {
    return this.#gates.size;
  }

  /** Rejects with GateError. */
  async wrap(endpoint: Endpoint, lower: Lower, from: Wrapping): Promise<Stream> {
    const host = hostOf(endpoint, from), key = JSON.stringify(host);
    for (let others = 0;; others++) {
      const connection = await this.#connection(key, host, lower, from);
      try {
        return await connection.open(endpoint.address, from.signal);
      } catch (thrown) {
        const reason = asGateError(thrown), isFull = reason.failure === "exhausted" && !connection.isUsable;
        if (!isFull || others > 0 || from.signal.aborted) throw reason;
      }
    }
  }

  /** Ends all connections. */
  close(): void {
    for (const { connections } of [...this.#gates.values()]) {
      for (const connection of [...connections]) connection.close();
    }
  }

  /** One that lives, or that is on its way for another one, or a new one. */
  async #connection(key: string, host: Host, lower: Lower, from: Wrapping): Promise<SharedConnection> {
    for (;;) {
      const gate = this.#gateOf(key);
      for (const connection of gate.connections) if (connection.isUsable) return connection;
      const own = gate.coming === undefined;
      try {
        return await inTime(gate.coming ?? this.#begin(key, gate, host, lower, from), from.signal);
      } catch (thrown) {
        const reason = asGateError(thrown);
        this.#forget(key, gate); // none was begun where the one before failed just now
        // The client for whom it was dialed went away: that says nothing of the gate.
        if (own || from.signal.aborted || reason.side !== "client") throw reason;
      }
    }
  }

  #begin(key: string, gate: Gate, host: Host, lower: Lower, from: Wrapping): Promise<SharedConnection> {
    if (gate.connections.size >= MOST_CONNECTIONS) {
      const state = `its ${gate.connections.size} connections carry as much as they may`;
      const act = `Cannot reach anybody through ${formatTarget(host.target)}`;
      throw new GateError("exhausted", "gate", `${act}: ${state}`);
    }
    const setback = this.#setbacks.why(key, now);
    if (setback) throw setback;
    const gone = (connection: SharedConnection) => {
      gate.connections.delete(connection);
      this.#forget(key, gate);
    };
    let isThere = false; // what a dial comes to is not SSH's
    const dialed = async () => {
      isThere = false;
      const stream = await lower();
      isThere = true;
      return stream;
    };
    const coming = gate.coming = prepared().then(() =>
      connect(host, dialed, from.keyring, gone, this.#idleTime)
    ).then(
      (connection) => {
        this.#setbacks.succeeded(key);
        gate.connections.add(connection);
        return connection;
      },
      (thrown) => {
        if (isThere) this.#setbacks.failed(key, asGateError(thrown), now);
        throw thrown;
      },
    ).finally(() => {
      gate.coming = undefined;
      this.#forget(key, gate);
    });
    coming.catch(() => {}); // whoever waited may be gone
    return coming;
  }

  #gateOf(key: string): Gate {
    const there = this.#gates.get(key);
    if (there) return there;
    const gate: Gate = { connections: new Set(), coming: undefined };
    this.#gates.set(key, gate);
    return gate;
  }

  #forget(key: string, gate: Gate): void {
    if (gate.connections.size === 0 && !gate.coming && this.#gates.get(key) === gate) this.#gates.delete(key);
  }
}

function hostOf({ address, via, layers, identity, user }: Endpoint, { keys }: Wrapping): Host {
  const target: Target = via ?? address;
  return { target, layers, identity, user, keys };
}

let preparing: Promise<void> | undefined;

/** The key exchange that takes long to load is there from the first connection on. */
const prepared = (): Promise<void> => preparing ??= prepareHybrid(nextTurn);

/** Whoever waits gives up by himself: what he waits for goes on for others. */
function inTime<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      promiseResolved();
      reject(asGateError(signal.reason));
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    waited.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
