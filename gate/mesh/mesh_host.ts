/** The mesh as main sees it: engines tell what their connections offer, and hear what all offer. */
import { closeAllOf, passOn } from "../engine/owned.ts";
import { PairMarks } from "../engine/pair_marks.ts";
import type { EngineHost } from "../engine_host.ts";
import type { GateError } from "../errors.ts";
import type { Message } from "../log.ts";
import { asFailed, type Order, type Report } from "../orders.ts";
import type { Crossing } from "./crossings.ts";
import { NameLog } from "./name_log.ts";
import type { Registering, Registrations } from "./registrations.ts";

export interface MeshHostParts {
  readonly registrations: Registrations;
  /** The engine of that number, if it is alive. */
  readonly engine: (number: number) => EngineHost | undefined;
  readonly tellAll: (order: Order) => void;
  readonly log: (message: Message) => void;
  /** Who owns a descriptor, and pairs of those: memory of all threads. */
  readonly memory: { readonly owners: SharedArrayBuffer; readonly pairs: SharedArrayBuffer };
}

/** Whose descriptors are nobody's: no engine has this number. */
const NOBODY = 0xfffe;
/** Rows that an engine takes at once. */
const ROWS = 64;

export class MeshHost {
  readonly #parts: MeshHostParts;
  readonly #marks: PairMarks;
  readonly #log = new NameLog();
  /** Connections at whose visitors a session looks, and their engines. */
  readonly #watched = new Map<number, number>();

  constructor(parts: MeshHostParts) {
    this.#parts = parts;
    this.#marks = new PairMarks(parts.memory.pairs);
    parts.registrations.events = {
      changed: (change) => parts.tellAll({ op: "names", change }),
      lost: (one, reason) => this.#lost(one, reason),
    };
  }

  /** Whether it was for the mesh. */
  heard(engine: EngineHost, report: Report): boolean {
    const { registrations } = this.#parts;
    if (report.op === "cross") this.#cross(engine, report.engine, report.crossing);
    else if (report.op === "watching") this.#watching(report.connection, engine.number, report.on);
    else if (report.op === "visits") {
      this.#parts.engine(report.engine)?.tell({ op: "visits", visits: report.visits });
    } else if (report.op === "withdraw") registrations.withdraw(report.id);
    else if (report.op === "noName") {
      this.#say(this.#log.refused(report.asked, report.why, performance.now()));
    } else if (report.op === "register") {
      const registering = { ...report.registering, engine: engine.number };
      const refused = registrations.register(registering);
      if (refused) this.#say(this.#log.refused(registering, refused.message, performance.now()));
      engine.tell({ op: "registered", id: registering.id, ...refused && { refused: asFailed(refused) } });
    } else return false;
    return true;
  }

  /** It begins with what all others know already. */
  serves(engine: EngineHost): void {
    const { rows } = this.#parts.registrations;
    for (let at = 0; at < rows.length; at += ROWS) {
      engine.tell({ op: "names", change: { live: rows.slice(at, at + ROWS), gone: [] } });
    }
    for (const connection of this.#watched.keys()) engine.tell({ op: "watching", connection, on: true });
  }

  /** All connections that it had are over. */
  died(engine: number): void {
    this.#parts.registrations.forgetEngine(engine);
    for (const [connection, its] of this.#watched) {
      if (its === engine) this.#watching(connection, its, false);
    }
  }

  #watching(connection: number, engine: number, on: boolean): void {
    if (on) this.#watched.set(connection, engine);
    else this.#watched.delete(connection);
    this.#parts.tellAll({ op: "watching", connection, on });
  }

  #lost(registering: Registering, reason: GateError): void {
    const { engine, id } = registering;
    this.#say(this.#log.takenOver(registering, performance.now()));
    this.#parts.engine(engine)?.tell({ op: "lost", id, reason: asFailed(reason) });
  }

  #say(message: Message | undefined): void {
    if (message) this.#parts.log(message);
  }

  /** The descriptor becomes the other engine's; where that is dead it is closed, and who opened the pair sees a reset. */
  #cross(from: EngineHost, to: number, crossing: Crossing): void {
    const { memory: { owners }, engine } = this.#parts, other = engine(to), { fd, place } = crossing;
    if (other && passOn(owners, fd, from.number, to)) return other.tell({ op: "cross", crossing });
    if (passOn(owners, fd, from.number, NOBODY)) closeAllOf(owners, NOBODY);
    this.#marks.side(place, 1).closed();
  }
}
