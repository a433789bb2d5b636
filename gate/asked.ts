/** What clients name themselves: dialed as far as policy permits it, also where that changes meanwhile. */
import { formatTarget, type Target } from "./address.ts";
import { askingOf } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { Routed } from "./requests.ts";
import type { Stream } from "./streams.ts";
import type { Decider } from "./decide.ts";
import type { Dialer } from "./dialer.ts";
import { now } from "./engine/loop.ts";
import { PooledUpstream } from "./engine/upstream_pool.ts";
import { lostRight, lostUser, type Right } from "./right.ts";

/** A request whose client named the target, and what policy said to that. */
export interface NamedRequest extends Routed {
  readonly right: Pick<Right, "asking" | "plan">;
}

/** What the snapshot of the moment decides, and the one after it, if that comes meanwhile. */
export interface Deciding {
  readonly decider: Decider;
  readonly deciding: () => Decider;
}

export class AskedTargets {
  readonly #deciding: Deciding;
  readonly #dialer: Dialer;

  constructor(deciding: Deciding, dialer: Dialer) {
    this.#deciding = deciding;
    this.#dialer = dialer;
  }

  /** Rejects with GateError; `right` becomes what it was dialed by. */
  async dial(target: Target, conn: Connection, right: Right, until: number): Promise<Stream> {
    let judge = this.#deciding.decider;
    const stream = await this.#dialer.reach(target, conn, until, (destination) => {
      judge = this.#judgeAgain(conn, judge);
      right.completed = destination.completed;
      return judge.permit(right.asking, right.plan, destination);
    });
    right.endpoint ??= { address: conn.dialed!, layers: [] };
    try {
      this.#judgeAgain(conn, judge);
    } catch (thrown) {
      stream[Symbol.dispose]();
      throw thrown;
    }
    return stream;
  }

  /** What policy says to a request that names its target; `source`: as trusted proxies tell it. Throws GateError. */
  judge(target: Target, conn: Connection, source?: string): NamedRequest {
    const userless = lostUser(conn);
    if (userless) throw userless;
    const asked = askingOf(conn, "target", conn.trusted, target);
    const asking = source === undefined ? asked : { ...asked, source };
    const plan = this.#deciding.decider.plan(asking);
    return { place: plan.kind === "route" ? plan.route.place : "", http: {}, right: { asking, plan } };
  }

  /** The upstream of this connection's last request, where this one may use it; else that is closed. */
  idle(target: Target, conn: Connection): Stream | undefined {
    const { ownUpstream: upstream, ownRight, right } = conn;
    if (!upstream) return undefined;
    conn.ownUpstream = conn.ownRight = undefined;
    if (upstream.kind === kindOf(target) && this.#permits(right!, ownRight!) && upstream.wake()) {
      conn.right = { ...right!, completed: ownRight!.completed, endpoint: ownRight!.endpoint };
      conn.dialed = upstream.dialed;
      conn.record.endpoint = upstream.endpoint;
      conn.upstream = upstream;
      return upstream.stream;
    }
    upstream.close();
    return undefined;
  }

  /** A new one: it serves this connection alone, for another client may not have its right. */
  async open(target: Target, conn: Connection): Promise<Stream> {
    conn.askedAt = now;
    conn.resolvedAt = 0;
    const stream = await this.dial(target, conn, conn.right!, now + conn.limits.dialTimeout);
    conn.upstream = new PooledUpstream(kindOf(target), stream, conn.dialed, conn.record.endpoint, true);
    return stream;
  }

  /** Whether who asks now may use what was dialed for who asked before: another user of the same connection, perhaps. */
  #permits({ asking, plan }: Right, { completed, endpoint }: Right): boolean {
    if (plan.kind !== "asked" || !endpoint) return false;
    const { decider } = this.#deciding;
    return decider.judgeEndpoint(asking, plan.target, { completed }, endpoint).verdict === "allow";
  }

  /** Who decides now. Throws GateError where that is not `judge` any more, and the right is lost. */
  #judgeAgain(conn: Connection, judge: Decider): Decider {
    const decider = this.#deciding.deciding();
    const lost = decider === judge ? undefined : lostRight(conn, decider);
    if (lost) throw lost;
    return decider;
  }
}

/** Of no route: what a client names was judged for it. */
const kindOf = (target: Target): string => `named ${formatTarget(target)}`;
