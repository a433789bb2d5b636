/** The names that are reached through connections, as every engine knows them. */
import type { Target } from "../address.ts";

/** A port of a name that some connection offers now: plain data. */
export interface LiveRow {
  /** Of the registration: never given twice. */
  readonly id: number;
  /** Which connection it is of, and which engine has that. */
  readonly connection: number;
  readonly engine: number;
  /** All that it is reached by: a node's ID has several. */
  readonly names: readonly string[];
  readonly port: number;
}

/** What is different now. */
export interface LiveChange {
  readonly live: readonly LiveRow[];
  /** Registrations that are over. */
  readonly gone: readonly number[];
}

const SSH = 22;
/** What port 0 of SSH is answered with; it serves SSH's own port, too. */
export const MESH_SSH = 15022;

export class LiveNames {
  readonly #rows = new Map<number, LiveRow>();
  readonly #ports = new Map<string, Map<number, LiveRow>>();

  /** Whether there is any. */
  get any(): boolean {
    return this.#rows.size > 0;
  }

  get rows(): readonly LiveRow[] {
    return [...this.#rows.values()];
  }

  apply({ live, gone }: LiveChange): void {
    for (const row of live) this.#add(row);
    for (const id of gone) this.#remove(id);
  }

  /** `host` in normal form; undefined: nobody offers that now. */
  find({ host, port }: Target): LiveRow | undefined {
    const ports = this.#ports.get(host);
    return ports?.get(port) ?? (port === SSH ? ports?.get(MESH_SSH) : undefined);
  }

  /** Whether anything of that name is offered. */
  has(name: string): boolean {
    return this.#ports.has(name);
  }

  #add(row: LiveRow): void {
    this.#rows.set(row.id, row);
    for (const name of row.names) {
      const ports = this.#ports.get(name);
      if (ports) ports.set(row.port, row);
      else this.#ports.set(name, new Map([[row.port, row]]));
    }
  }

  /** Where another connection has taken a name over it stays. */
  #remove(id: number): void {
    const row = this.#rows.get(id);
    if (!row) return;
    this.#rows.delete(id);
    for (const name of row.names) {
      const ports = this.#ports.get(name);
      if (ports?.get(row.port) !== row) continue;
      ports.delete(row.port);
      if (ports.size === 0) this.#ports.delete(name);
    }
  }
}
