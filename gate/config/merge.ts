/** Several files as one: maps merge, lists concatenate, anything else given twice is a mistake. */
import { givenTwice, type Problem, report } from "./problems.ts";
import { type Entry, formatPath, type Node, type Path, placeOf } from "./tree.ts";

export function mergeTrees(trees: readonly Node[], problems: Problem[]): Node {
  return trees.reduce((merged, tree) => merge(merged, tree, [], problems));
}

function merge(first: Node, second: Node, path: Path, problems: Problem[]): Node {
  if (first.kind === "list" && second.kind === "list") {
    return { ...first, items: [...first.items, ...second.items] };
  }
  if (first.kind === "map" && second.kind === "map") {
    const entries = new Map<string, Entry>(first.entries);
    for (const [key, entry] of second.entries) {
      const there = entries.get(key);
      const value = there ? merge(there.value, entry.value, [...path, key], problems) : entry.value;
      entries.set(key, { key: there?.key ?? entry.key, value });
    }
    return { ...first, entries };
  }
  const message = path.length === 0 ? "expected a map of keys in every file" : givenTwice(placeOf(first));
  report({ place: placeOf(second), path: formatPath(path), message }, problems);
  return first;
}
