/** A part of the tree through its schema: a value, or findings. */
import type { z } from "zod";
import type { Findings } from "./problems.ts";
import { Mistake, type Reading } from "./scalars.ts";
import { isBroken, type Node, nodeAt, type Path, plain } from "./tree.ts";

type Issue = z.core.$ZodIssue;

/** The value at the path; undefined: something in it is wrong and reported. What is not written gets its default. */
export function readPart<S extends z.ZodType>(
  schema: S,
  path: Path,
  findings: Findings,
): z.output<S> | undefined {
  const node = nodeAt(findings.root, path);
  const result = schema.safeParse(node && plain(node));
  if (!result.success) { for (const issue of result.error.issues) report(issue, path, findings); }
  return result.success && !(node && isBroken(node)) ? result.data : undefined;
}

function report(issue: Issue, around: Path, findings: Findings): void {
  const path: Path = [...around, ...issue.path.map((step) => typeof step === "number" ? step : String(step))];
  const node = nodeAt(findings.root, path);
  if (node?.kind === "scalar" && node.text === undefined) return;
  if (issue.code === "invalid_union") {
    const meant = meantBranch(issue.errors, node);
    if (meant) return meant.forEach((inner) => report(inner, path, findings));
  }
  if (issue.code === "unrecognized_keys") {
    const messages = issue.message.split("\n");
    issue.keys.forEach((key, i) => findings.errorAtKey([...path, key], messages[i]));
  } else if (issue.code === "invalid_key") {
    findings.errorAtKey(path, issue.issues[0].message);
  } else if (issue.code === "invalid_type" || issue.code === "invalid_union") {
    const expected = issue.message.replace(/^expected /, "");
    const glued = issue.code === "invalid_type" && issue.expected === "object" && isGlued(node);
    findings.expected(path, glued ? `${expected}, with a space after each colon` : expected);
  } else if (issue.code === "custom" && issue.params) {
    const { part, meant } = issue.params, shows = meant !== undefined && findings.isShown(path);
    findings.expected(path, shows ? meant : issue.message.replace(/^expected /, ""), part);
  } else {
    findings.error(path, issue.message);
  }
}

/** `to:127.0.0.1:80`, which is one text to YAML. */
function isGlued(node: Node | undefined): boolean {
  return node?.kind === "scalar" && /^\w+:(?!\/\/)\S/.test(node.text ?? ""); // and no URL
}

/** Of the forms a value may have, the one that was tried: its issues are inside the value, or about its text. */
function meantBranch(branches: readonly Issue[][], node: Node | undefined): Issue[] | undefined {
  if (node === undefined) return undefined;
  return branches.find((issues) =>
    issues.every(({ path, code }) => path.length > 0 || code !== "invalid_type")
  );
}

/** A value that was read, and where it stands. */
export interface Located<T> {
  readonly path: Path;
  readonly value: T;
}

/** What was read of a section; not whole: some of it is reported and left out. */
export interface Part<T> {
  readonly whole: boolean;
  readonly items: T;
  /** Of the maps that have mistakes, in the order of the file. */
  readonly leftOut: readonly Path[];
}

/** The keys of a map that are right, each read by itself: for a map that is left out. */
export function readRightKeys<S extends Readonly<Record<string, z.ZodType>>>(
  shape: S,
  path: Path,
  findings: Findings,
): { readonly [K in keyof S]?: z.output<S[K]> } {
  const right: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(shape)) {
    const node = nodeAt(findings.root, [...path, key]);
    const result = node && !isBroken(node) ? schema.safeParse(plain(node)) : undefined;
    if (result?.success) right[key] = result.data;
  }
  return right as { [K in keyof S]?: z.output<S[K]> };
}

/** Whether every key that is written in the map is one of the shape, and none of `keys` has a mistake. */
export function areRight(shape: object, keys: readonly string[], path: Path, findings: Findings): boolean {
  const node = nodeAt(findings.root, path);
  return node?.kind === "map" && node.entries.keys().every((key) => Object.hasOwn(shape, key)) &&
    !keys.some((key) => findings.isReported([...path, key]));
}

/** A map of names, by the normal form of each that `readName` gives. */
export function readNamed<S extends z.ZodType>(
  schema: S,
  section: string,
  readName: (text: string) => Reading<string>,
  findings: Findings,
): Part<Map<string, Located<z.output<S>>>> {
  const items = new Map<string, Located<z.output<S>>>();
  const node = nodeAt(findings.root, [section]);
  if (node === undefined) return { whole: true, items, leftOut: [] };
  if (node.kind !== "map") findings.expected([section], "a map of names");
  const leftOut: Path[] = [];
  for (const key of node.kind === "map" ? node.entries.keys() : []) {
    const path = [section, key];
    const value = readPart(schema, path, findings);
    const name = readName(key);
    const there = name instanceof Mistake ? undefined : items.get(name);
    if (name instanceof Mistake) findings.errorAtKey(path, `expected ${name.expected}`);
    else if (there) findings.errorAtKey(path, `the same name as ${findings.locate(there.path)}`);
    else if (value !== undefined) items.set(name, { path, value });
    if (name instanceof Mistake || there || value === undefined) leftOut.push(path);
  }
  return { whole: node.kind === "map" && leftOut.length === 0, items, leftOut };
}

export function readList<S extends z.ZodType>(
  schema: S,
  section: string,
  findings: Findings,
): Part<Located<z.output<S>>[]> {
  const items: Located<z.output<S>>[] = [];
  const node = nodeAt(findings.root, [section]);
  if (node === undefined) return { whole: true, items, leftOut: [] };
  if (node.kind !== "list") findings.expected([section], "a list, each item behind a dash");
  const length = node.kind === "list" ? node.items.length : 0;
  const leftOut: Path[] = [];
  for (let i = 0; i < length; i++) {
    const path = [section, i];
    const value = readPart(schema, path, findings);
    if (value !== undefined) items.push({ path, value });
    else leftOut.push(path);
  }
  return { whole: node.kind === "list" && leftOut.length === 0, items, leftOut };
}
