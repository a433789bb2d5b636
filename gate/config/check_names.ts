/** Names of protocols, listeners and sources: each is one that there is, whatever else is wrong around it. */
import type { Protocols } from "../contracts.ts";
import type { Findings } from "./problems.ts";
import { suggestion } from "./suggest.ts";
import { type Node, nodeAt, type Path } from "./tree.ts";

interface Naming {
  /** Keys from the root; `*` is every key or item there. At its end stands a name, or a list of them. */
  readonly at: readonly string[];
  readonly check?: (name: string, path: Path, protocols: Protocols, findings: Findings) => void;
  /** No name may stand there twice. */
  readonly once?: true;
}

const NAMED: readonly Naming[] = [
  { at: ["listeners", "*", "protocols"], check: checkProtocol, once: true },
  { at: ["routes", "*", "protocol"], check: checkProtocol },
  { at: ["routes", "*", "listener"], check: checkListenerName },
  { at: ["hosts", "*", "layers"], check: checkLayer },
  { at: ["policy", "*", "*", "protocol"], check: checkProtocol },
  { at: ["policy", "*", "*", "listener"], check: checkListenerName },
  { at: ["discovery"], once: true },
];

/** Reads what is written, not what was understood: a mistake in one key hides none in another. */
export function checkNames(protocols: Protocols, findings: Findings): void {
  for (const { at, check, once } of NAMED) {
    for (const path of placesOf(findings.root, at, [])) {
      const named = namesAt(path, findings);
      if (once) checkRepeated(named, findings);
      for (const { name, path } of named) check?.(name, path, protocols, findings);
    }
  }
  checkReserve(protocols, findings);
}

/** Its names are keys. */
function checkReserve(protocols: Protocols, findings: Findings): void {
  const reserve = nodeAt(findings.root, ["limits", "reserve"]);
  for (const name of reserve?.kind === "map" ? reserve.entries.keys() : []) {
    if (Object.hasOwn(protocols, name)) continue;
    const hint = suggestion(name, Object.keys(protocols));
    findings.errorAtKey(["limits", "reserve", name], `unknown protocol${hint}`);
  }
}

/** Whether the file has a listener of this name, right or wrong. */
export function isListener(name: string, root: Node): boolean {
  const section = nodeAt(root, ["listeners"]);
  return section?.kind === "map" && section.entries.has(name);
}

function* placesOf(node: Node | undefined, [step, ...rest]: readonly string[], path: Path): Generator<Path> {
  if (node === undefined) return;
  if (step === undefined) yield path;
  else if (step !== "*") yield* placesOf(nodeAt(node, [step]), rest, [...path, step]);
  else {
    const steps = node.kind === "map" ? node.entries.keys() : node.kind === "list" ? node.items.keys() : [];
    for (const one of steps) yield* placesOf(nodeAt(node, [one]), rest, [...path, one]);
  }
}

interface Named {
  readonly name: string;
  readonly path: Path;
}

/** Those at the path that are texts; others, and empty ones, are no names and reported as such. */
function namesAt(path: Path, findings: Findings): Named[] {
  const node = nodeAt(findings.root, path);
  const scalars = node?.kind === "list" ? node.items : node ? [node] : [];
  return scalars.flatMap((one, i) => {
    const at = findings.item(path, i);
    return one.kind === "scalar" && one.text && !findings.isReported(at)
      ? [{ name: one.text, path: at }]
      : [];
  });
}

function checkRepeated(named: readonly Named[], findings: Findings): void {
  const seen = new Set<string>();
  for (const { name, path } of named) {
    if (seen.has(name)) findings.error(path, `${findings.written(path)} is given twice`);
    seen.add(name);
  }
}

function checkProtocol(name: string, path: Path, protocols: Protocols, findings: Findings): void {
  if (Object.hasOwn(protocols, name)) return;
  const hint = suggestion(name, Object.keys(protocols));
  findings.error(path, `unknown protocol ${findings.written(path)}${hint}`);
}

function checkLayer(name: string, path: Path, protocols: Protocols, findings: Findings): void {
  checkProtocol(name, path, protocols, findings);
  if (!Object.hasOwn(protocols, name) || protocols[name].wrap) return;
  const able = Object.keys(protocols).filter((name) => protocols[name].wrap).join(", ");
  findings.error(path, `${name} cannot be a layer: expected one of ${able}`);
}

function checkListenerName(name: string, path: Path, _protocols: Protocols, findings: Findings): void {
  if (isListener(name, findings.root)) return;
  const section = nodeAt(findings.root, ["listeners"]);
  const names = section?.kind === "map" ? Array.from(section.entries.keys()) : [];
  findings.error(path, `there is no listener ${findings.written(path)}${suggestion(name, names)}`);
}
