/** Channels that lead from the gate to where the client says (-L, -D, -W, -J): as far as its grant and policy permit. */
import { formatTarget, type Target } from "../../../gate/address.ts";
import type { Conn } from "../../../gate/contracts.ts";
import { TurnBudget } from "../../../gate/engine/turn_budget.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import { asGateError } from "../../../gate/errors.ts";
import type { Opening } from "../channels/opening.ts";
import { CONNECT_FAILED, SHORTAGE } from "../numbers.ts";
import { readDirect } from "./messages.ts";
import type { Served } from "../served.ts";
import { whyNotOpen } from "./permits.ts";
import { notPermitted, refuse } from "./refusals.ts";

/** Of one client that wait for their turn, or for an answer. */
const MOST_PENDING = 256;
/** ms of a turn for those of all clients. */
const openings = new TurnBudget(1);

export class Directs {
  readonly #served: Served;
  #pending = 0;

  constructor(served: Served) {
    this.#served = served;
  }

  open(opening: Opening): void {
    const target = readDirect(opening.type, opening.from);
    if (!target) return opening.refuse(CONNECT_FAILED, "expected a host and a port, or a path");
    if (this.#served.conn.stopping) return opening.refuse(SHORTAGE, "the gate stops");
    if (this.#pending >= MOST_PENDING) {
      this.#served.gate.hit("channels");
      return opening.refuse(SHORTAGE, "too many channels wait to be opened");
    }
    this.#pending++;
    const step = () => {
      if (this.#served.transport.isOver) this.#pending--; // it broke meanwhile: nothing is dialed for nobody
      else openings.spend(() => void this.#open(opening, target));
    };
    if (openings.open) step();
    else openings.later(step);
  }

  /** Never rejects: what comes of it is told to the client, and to the journal. */
  async #open(opening: Opening, target: Target): Promise<void> {
    const { conn, gate } = this.#served;
    let branch: Conn | undefined;
    try {
      branch = gate.branch(opening.channel.stream, conn);
      branch.record.target = formatTarget(target);
      const why = whyNotOpen(this.#served.grant, target);
      if (why) throw notPermitted(formatTarget(target), why);
      promiseResolved(); // what policy refuses goes on at once
      using upstream = await gate.connect(target, branch);
      opening.accept();
      gate.relay(branch, upstream);
    } catch (thrown) {
      const reason = asGateError(thrown);
      refuse(opening, reason);
      branch?.served(reason);
    } finally {
      this.#pending--;
    }
  }
}
