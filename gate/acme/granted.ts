/**
 * Names of the mesh whose TLS would end here: a node registered port 80 of them, and not 443. An authority is asked for
 * these once they were registered, and never for what a client merely asked for. Bounded in number; how fast, the agent
 * bounds.
 */
import { CertificateIndex } from "../certificate_index.ts";
import type { Configuration } from "../config/configuration.ts";
import type { LiveRow } from "../mesh/live_names.ts";

const HTTP = 80, HTTPS = 443;
/** Names that certificates are kept for. */
export const MOST_GRANTED = 1000;
/** ms: who offers several ports asks for them one by one. */
const SETTLED = 1000;

export interface GrantedParts {
  /** What is registered now. */
  readonly rows: () => readonly LiveRow[];
  /** Tells when something is. */
  readonly onRegistered: (told: () => void) => Disposable;
  /** There are names that there were not before. */
  readonly changed: () => void;
  /** Some found no place. */
  readonly crowded: () => void;
}

export class GrantedNames implements Disposable {
  readonly #parts: GrantedParts;
  readonly #names = new Set<string>();
  readonly #told: Disposable;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: GrantedParts) {
    this.#parts = parts;
    this.#told = parts.onRegistered(() => this.#timer ??= setTimeout(() => this.#look(), SETTLED));
  }

  /** Those that this configuration lets an authority certify: below `node.domain`, for which no file is. */
  namesFor({ node: { domain }, certificates, acme }: Configuration): readonly string[] {
    if (!acme || domain === "" || acme.challenges.length === 0) return [];
    const files = new CertificateIndex(certificates), wanted = new Set(acme.names);
    return [...this.#names].filter((name) =>
      name.endsWith(`.${domain}`) && !wanted.has(name) && !files.find(name)
    );
  }

  [Symbol.dispose](): void {
    this.#told[Symbol.dispose]();
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = undefined;
    const live = new Map<string, Set<number>>();
    for (const { names: [name], port } of this.#parts.rows()) {
      live.set(name, (live.get(name) ?? new Set()).add(port));
    }
    const ending = [...live].filter(([name, ports]) =>
      ports.has(HTTP) && !ports.has(HTTPS) && !this.#names.has(name)
    );
    const room = this.#makeRoom(ending.length, live);
    for (const [name] of ending.slice(0, room)) this.#names.add(name);
    if (room < ending.length) this.#parts.crowded();
    if (ending.length > 0 && room > 0) this.#parts.changed();
  }

  /** Whoever is not there gives way, who was there first before others; how many there is room for then. */
  #makeRoom(wanted: number, live: ReadonlyMap<string, unknown>): number {
    for (const name of this.#names) {
      if (this.#names.size + wanted <= MOST_GRANTED) break;
      if (!live.has(name)) this.#names.delete(name);
    }
    return Math.max(0, MOST_GRANTED - this.#names.size);
  }
}
