/** Connections of the gate's own, for which no client waits: to mirrors. Idle ones wait where those of messages do. */
import { formatTarget, type Target } from "./address.ts";
import type { Destination } from "./contracts.ts";
import type { Stream } from "./streams.ts";
import { Dial } from "./engine/dial.ts";
import { promiseResolved } from "./engine/loop.ts";
import type { Socket } from "./engine/socket.ts";
import { PooledUpstream, type UpstreamPool } from "./engine/upstream_pool.ts";
import { GateError } from "./errors.ts";
import { isDirect } from "./dialer.ts";
import type { Mesh } from "./mesh/mesh.ts";
import type { OwnAddresses } from "./own_address.ts";

export interface ErrandsParts {
  readonly pool: UpstreamPool;
  readonly resolve: (target: Target) => Destination | undefined | Promise<Destination | undefined>;
  readonly mesh: Pick<Mesh, "reach">;
  /** The gate's own addresses now. */
  readonly own: () => OwnAddresses;
}

export class Errands {
  readonly #parts: ErrandsParts;
  /** Those in use. */
  readonly #used = new WeakMap<Stream, PooledUpstream>();

  constructor(parts: ErrandsParts) {
    this.#parts = parts;
  }

  /** An idle connection, or a new one within `ms`. Rejects with GateError; "denied" where it leads to the gate itself. */
  async reach(target: Target, ms: number): Promise<Stream> {
    const kind = `errand ${formatTarget(target)}`;
    const upstream = this.#parts.pool.take(kind) ?? await this.#dial(target, kind, ms);
    this.#used.set(upstream.stream, upstream);
    return upstream.stream;
  }

  /** MOVES it to where idle ones wait; with `reason` it is cut instead. */
  rest(stream: Stream, reason?: GateError): void {
    const upstream = this.#used.get(stream);
    this.#used.delete(stream);
    if (upstream && !reason) return this.#parts.pool.keep(upstream);
    upstream?.leavePool();
    if (reason) stream.abort(reason);
  }

  async #dial(target: Target, kind: string, ms: number): Promise<PooledUpstream> {
    const destination = await this.#parts.resolve(target);
    const [first] = destination?.endpoints ?? [];
    if (first?.connected) {
      const stream = await this.#parts.mesh.reach(first.address, OURSELVES, ms, {
        over: false,
        underWay: undefined,
      });
      return new PooledUpstream(kind, stream, undefined, "", false);
    }
    const direct = destination?.endpoints.filter(isDirect) ?? [];
    if (direct.length === 0) {
      const why = destination ? "it is reached through others" : "nobody knows the name";
      throw new GateError("no-route", "gate", `Cannot connect to ${formatTarget(target)}: ${why}`);
    }
    const stream = await connect(direct.map(({ address }) => address), ms, this.#parts.own());
    return new PooledUpstream(kind, stream, undefined, "", false);
  }
}

/** Of what no client asked for. */
const OURSELVES = { address: "unix", port: 0 };

function connect(addresses: readonly Target[], ms: number, own: OwnAddresses): Promise<Socket> {
  return new Promise((resolve, reject) => {
    new Dial(addresses, ms, {
      beforeConnect(_fd, address) {
        if (!own.hasPort(address) || !own.look(address, true, [])?.own) return;
        throw new GateError("denied", "gate", `Cannot connect to ${formatTarget(address)}: this gate's own`);
      },
      stood(socket) {
        promiseResolved();
        resolve(socket);
      },
      failed(reason) {
        promiseResolved();
        reject(reason);
      },
    });
  });
}
