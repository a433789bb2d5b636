/** Which names are the mesh's to give: those under `node.domain`, and nodes' IDs, which have several spellings. */
import { normalName, type Target } from "../address.ts";
import { NODE_SUFFIXES, nodeNames, readNodeId } from "../identity/node_id.ts";

export class NameSpace {
  /** What the names of nodes end in. */
  readonly domain: string;
  readonly #suffixes: ReadonlySet<string>;

  /** `domain`: as `node.domain` has it; empty: `m`. */
  constructor(domain: string) {
    this.domain = domain === "" ? NODE_SUFFIXES[0] : domain;
    this.#suffixes = new Set(["", this.domain, ...NODE_SUFFIXES]);
  }

  /** The ID in a name that is a node's by its key, in its one spelling; undefined: it is no such name. */
  nodeIdOf(name: string): string | undefined {
    const dot = name.indexOf("."), label = dot < 0 ? name : name.slice(0, dot);
    return this.#suffixes.has(dot < 0 ? "" : name.slice(dot + 1)) ? readNodeId(label) : undefined;
  }

  /** All spellings of a name in normal form, the one first that stands for them. */
  spellings(name: string): readonly string[] {
    const id = this.nodeIdOf(name);
    return id === undefined ? [name] : [...nodeNames(id, this.domain), id.toLowerCase()];
  }

  /** Whether it is one of these: in normal form, below the domain, or a node's ID. */
  has(name: string): boolean {
    return normalName(name) === name &&
      (name.endsWith(`.${this.domain}`) || this.nodeIdOf(name) !== undefined);
  }
}

/** As people look for them: names that somebody chose before those of keys, then by name and port. */
export function compareNames(one: Target, other: Target): number {
  return Number(isOfKey(one)) - Number(isOfKey(other)) || compareTexts(one.host, other.host) ||
    one.port - other.port;
}

const isOfKey = ({ host }: Target): boolean => readNodeId(host.split(".", 1)[0]) !== undefined;

const compareTexts = (one: string, other: string): number => one < other ? -1 : Number(one > other);
