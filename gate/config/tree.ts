/** A configuration as it was written: values that know their place. */

/** The text a value stands in. */
export interface Source {
  readonly file: string;
  /** `file:line:column`, both from 1. */
  place(offset: number): string;
}

export type Node = Scalar | List | Mapping;

export interface Placed {
  readonly source: Source;
  readonly offset: number;
}

/** Every scalar is a text: which type it is read as, its key says. */
export interface Scalar extends Placed {
  readonly kind: "scalar";
  /** As written, `${NAME}` and all; null: nothing, or `null`. */
  readonly raw: string | null;
  /** With the environment in it; undefined: its mistake is reported already. */
  readonly text: string | null | undefined;
}

export interface List extends Placed {
  readonly kind: "list";
  readonly items: readonly Node[];
}

export interface Mapping extends Placed {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface Entry {
  readonly key: Placed;
  readonly value: Node;
}

/** Keys and indices from the root. */
export type Path = readonly (string | number)[];

/** `listeners.edge.address`, `routes[3].host`, `hosts["*.onion"].via` */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[\w-]{1,64}$/.test(step)) text += `[${JSON.stringify(shownKey(step, path).slice(0, 80))}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** `alice:secret` where a user and a password belong is a slip that must not print the password. */
function shownKey(key: string, [section, , field, kind]: Path): string {
  const isUser = section === "listeners" && field === "users" ||
    section === "routes" && field === "auth" && kind === "basic";
  return isUser ? key.replace(/:[^]*/, ":***") : withoutLogin(key);
}

export function placeOf({ source, offset }: Placed): string {
  return source.place(offset);
}

/** The node at a path, or undefined. */
export function nodeAt(root: Node, path: Path): Node | undefined {
  let node: Node | undefined = root;
  for (const step of path) node = childOf(node, step);
  return node;
}

function childOf(node: Node | undefined, step: string | number): Node | undefined {
  if (node?.kind === "map") return node.entries.get(String(step))?.value;
  return node?.kind === "list" ? node.items[Number(step)] : undefined;
}

/** Where to point for a path: its key or item, or the nearest thing around it that was written. */
export function nearestPlace(root: Node, path: Path): Placed {
  let nearest: Placed = root;
  let node: Node | undefined = root;
  for (const step of path) {
    node = childOf(node, step);
    if (node === undefined) break;
    nearest = node;
  }
  return nearest;
}

/** Texts, arrays and objects, as a schema wants to see them. */
export function plain(node: Node): unknown {
  if (node.kind === "scalar") return node.text ?? (node.text === null ? null : "");
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(Array.from(node.entries, ([key, { value }]) => [key, plain(value)]));
}

/** Whether a mistake of this node or of one in it is reported already. */
export function isBroken(node: Node): boolean {
  if (node.kind === "scalar") return node.text === undefined;
  if (node.kind === "list") return node.items.some(isBroken);
  return Array.from(node.entries.values()).some(({ value }) => isBroken(value));
}

const SECRETS: readonly Path[] = [
  ["listeners", "*", "users", "*"],
  ["hosts", "*", "credentials"],
  ["routes", "*", "auth", "basic", "*"],
  ["routes", "*", "requestHeaders", "set", "*"], // what a backend asks of the gate: keys, tokens
  ["routes", "*", "requestHeaders", "add", "*"],
];

/** Whether what stands at the path, or below it, must never be shown. */
export function isSecret(path: Path): boolean {
  if (path.length === 3 && path[0] === "routes" && path[2] === "auth") return true; // a text where its map belongs
  return SECRETS.some((secret) =>
    path.length >= secret.length - (secret.at(-1) === "*" ? 1 : 0) &&
    secret.slice(0, path.length).every((step, i) => step === "*" || step === path[i])
  );
}

/** What may be printed: `${NAME}` as written, secrets as `***`, `user:password@` in front of a host too. */
export function shown(node: Node, path: Path = []): unknown {
  if (node.kind === "map") {
    const entries = Array.from(node.entries, ([key, { value }]) => [key, shown(value, [...path, key])]);
    return Object.fromEntries(entries);
  }
  if (node.kind === "list") return node.items.map((item, i) => shown(item, [...path, i]));
  if (node.raw === null) return null;
  return isSecret(path) ? "***" : withoutLogin(node.raw);
}

/** A login that someone wrote in front of a host, where none belongs, is a secret all the same. */
export function withoutLogin(text: string): string {
  // Begins at the start of a word, or a long text without an @ would be looked through from each of its characters.
  return text.replace(/(?<![^\s/@])[^\s/@]+@/g, (login) => /[^:]:[^@]/.test(login) ? "***@" : login);
}
