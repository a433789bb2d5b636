/**
 * Who is connected under which names, and whose names they are. A name that is live belongs to the key that registered it:
 * a new connection of the same key takes it over at once, another key cannot. Kept on main, where all engines are known.
 */
import type { Configuration } from "../config/configuration.ts";
import type { LoginRules } from "../identity/logins.ts";
import { GateError, telling } from "../errors.ts";
import { type Identity, keyName } from "../identity/identity.ts";
import type { LiveChange, LiveRow } from "./live_names.ts";
import { NameSpace } from "./name_space.ts";

/** What a connection asks for. */
export interface Registering {
  /** Never given twice. */
  readonly id: number;
  readonly engine: number;
  readonly connection: number;
  readonly name: string;
  readonly port: number;
  readonly identity: Identity;
}

interface Registration extends Registering {
  /** All that it is reached by; the first stands for them. */
  readonly names: readonly string[];
  readonly owner: string;
}

/** What the configuration says of names. */
export interface MeshRules {
  /** `node.domain` and `node.name`. */
  readonly domain: string;
  readonly node: string;
  /** Names, and patterns of them, that live where `hosts` says. */
  readonly hosts: readonly string[];
  /** What lines of authorized keys let somebody register, in whatever spelling. */
  readonly granted: readonly string[];
}

export function meshRules({ node, hosts }: Configuration, logins?: LoginRules): MeshRules {
  const lines = new Set(logins?.keys.map(({ options }) => options.permitListen ?? []));
  const granted = [...lines].flatMap((permitted) => permitted.map(({ host }) => host));
  return { domain: node.domain, node: node.name, hosts: Object.keys(hosts), granted };
}

/** Who hears of it. */
export interface MeshEvents {
  /** Engines are to know this. */
  changed(change: LiveChange): void;
  /** Another connection of the same key has it now. */
  lost(one: Registering, reason: GateError): void;
}

/** What resolves names of the mesh. */
export interface MeshNames {
  /** Whether a name (in normal form) is the mesh's: nobody else is to be asked for it, connected or not. */
  owns(name: string): boolean;
  /** `told` hears names that became the mesh's, until it is disposed. */
  onOwned(told: (names: readonly string[]) => void): Disposable;
}

/** Registrations at once, in all and of one connection; names that are remembered after their connections. */
export const MOST = 65_536, MOST_OF_CONNECTION = 64, MOST_REMEMBERED = 65_536;

const NOBODY: MeshEvents = { changed: () => {}, lost: () => {} };

export class Registrations implements MeshNames {
  #space!: NameSpace;
  #rules!: MeshRules;
  #events = NOBODY;
  readonly #byId = new Map<number, Registration>();
  /** By the name that stands for others, and the port. */
  readonly #byPlace = new Map<string, Registration>();
  /** How many ports of a name are live, and whose it is. */
  readonly #live = new Map<string, { readonly owner: string; ports: number }>();
  readonly #ofConnection = new Map<number, number>();
  /** Names that were registered, those that were so last at the end. */
  readonly #remembered = new Set<string>();
  #granted: ReadonlySet<string> = new Set();
  /** Of `hosts`: what all names end in that a pattern within the domain speaks for. Wider ones leave the domain to the mesh. */
  #elsewhere: readonly string[] = [];
  readonly #told = new Set<(names: readonly string[]) => void>();
  readonly #registered = new Set<() => void>();

  constructor(rules: MeshRules) {
    this.configure(rules);
  }

  set events(events: MeshEvents) {
    this.#events = events;
  }

  /** These hold for whoever comes: what is registered stays. What may be registered is the mesh's already. */
  configure(rules: MeshRules): void {
    const space = this.#space = new NameSpace(rules.domain), before = this.#granted;
    this.#rules = rules;
    this.#elsewhere = rules.hosts.filter((host) => host.startsWith("*.") && host.endsWith(`.${space.domain}`))
      .map((pattern) => pattern.slice(1));
    this.#granted = new Set(rules.granted.filter((name) => space.has(name)));
    const changed = [...this.#granted.symmetricDifference(before)];
    if (changed.length > 0) this.#tell(changed);
  }

  /** What is live now. */
  get rows(): readonly LiveRow[] {
    return Array.from(this.#byPlace.values(), rowOf);
  }

  /** From now on it is reached by its name; or why not. */
  register(asked: Registering): GateError | undefined {
    const refused = this.#refusal(asked);
    if (refused) return cannot(asked, refused);
    const names = this.#space.spellings(asked.name), place = placeOf(names[0], asked.port);
    const before = this.#byPlace.get(place), owner = ownerOf(asked.identity);
    if (before) this.#leave(before);
    const registration: Registration = { ...asked, names, owner };
    this.#byId.set(asked.id, registration);
    this.#byPlace.set(place, registration);
    const live = this.#live.get(names[0]) ?? { owner, ports: 0 };
    live.ports++;
    this.#live.set(names[0], live);
    this.#ofConnection.set(asked.connection, this.#count(asked.connection) + 1);
    this.#remember(names[0], names);
    this.#events.changed({ live: [rowOf(registration)], gone: before ? [before.id] : [] });
    if (before) this.#events.lost(before, takenOver(before));
    for (const told of this.#registered) told();
    return undefined;
  }

  /** Its connection is over, or offers it no more. */
  withdraw(id: number): void {
    const registration = this.#byId.get(id);
    if (!registration) return;
    this.#leave(registration);
    this.#events.changed({ live: [], gone: [id] });
  }

  /** An engine died, and with it all connections it had. */
  forgetEngine(engine: number): void {
    const gone = [...this.#byId.values()].filter((one) => one.engine === engine);
    for (const registration of gone) this.#leave(registration);
    if (gone.length > 0) this.#events.changed({ live: [], gone: gone.map(({ id }) => id) });
  }

  owns(name: string): boolean {
    return this.#space.nodeIdOf(name) !== undefined || this.#live.has(name) || this.#remembered.has(name) ||
      this.#granted.has(name);
  }

  onOwned(told: (names: readonly string[]) => void): Disposable {
    this.#told.add(told);
    return { [Symbol.dispose]: () => void this.#told.delete(told) };
  }

  /** `told` hears that something was registered, until it is disposed. */
  onRegistered(told: () => void): Disposable {
    this.#registered.add(told);
    return { [Symbol.dispose]: () => void this.#registered.delete(told) };
  }

  #refusal({ name, port, identity, connection }: Registering): string | undefined {
    const { domain } = this.#space, { node, hosts } = this.#rules;
    if (!this.#space.has(name)) return `expected a name that ends in .${domain}`;
    if (!(port >= 1 && port <= 65535)) return "expected a port from 1 to 65535";
    if (name === `${node.toLowerCase()}.${domain}`) return "it is this gate's own name";
    if (hosts.includes(name) || this.#elsewhere.some((end) => name.endsWith(end))) {
      return "hosts says where it lives";
    }
    const id = this.#space.nodeIdOf(name), [first] = this.#space.spellings(name);
    if (id !== undefined && !identity.names.includes(keyName(id))) return "it is the name of another key";
    const live = this.#live.get(first), owner = ownerOf(identity);
    if (live && live.owner !== owner) return "somebody else is connected under it";
    if (this.#byPlace.get(placeOf(first, port))?.connection === connection) {
      return "this connection has registered it already";
    }
    if (this.#count(connection) >= MOST_OF_CONNECTION) {
      return `this connection has registered ${MOST_OF_CONNECTION} already`;
    }
    return this.#byId.size >= MOST ? `${MOST} are registered already` : undefined;
  }

  #leave({ id, names: [name], port, connection }: Registration): void {
    this.#byId.delete(id);
    this.#byPlace.delete(placeOf(name, port));
    const live = this.#live.get(name)!, left = this.#count(connection) - 1;
    if (--live.ports === 0) this.#live.delete(name);
    if (left > 0) this.#ofConnection.set(connection, left);
    else this.#ofConnection.delete(connection);
  }

  #count(connection: number): number {
    return this.#ofConnection.get(connection) ?? 0;
  }

  #remember(name: string, names: readonly string[]): void {
    const isNew = !this.#remembered.has(name);
    this.#remembered.delete(name);
    this.#remembered.add(name);
    if (this.#remembered.size > MOST_REMEMBERED) {
      this.#remembered.delete(this.#remembered.values().next().value!);
    }
    if (isNew) this.#tell(names);
  }

  #tell(names: readonly string[]): void {
    for (const told of this.#told) told(names);
  }
}

const placeOf = (name: string, port: number): string => `${name}:${port}`;

/** A key, whatever else was proven of who has it; a token's subject where there is none. */
function ownerOf({ name, names }: Identity): string {
  return names.find((one) => one.startsWith(keyName(""))) ?? name;
}

const rowOf = ({ id, connection, engine, names, port }: Registration): LiveRow => (
  { id, connection, engine, names, port }
);

function cannot({ name, port }: Registering, why: string): GateError {
  const what = JSON.stringify(`${name}:${port}`).slice(1, -1);
  return telling(why, new GateError("denied", "client", `Cannot register ${what}: ${why}`));
}

function takenOver({ name, port }: Registration): GateError {
  const why = "another connection of its key has it now";
  return telling(why, new GateError("closed", "client", `Cannot keep ${name}:${port}: ${why}`));
}
