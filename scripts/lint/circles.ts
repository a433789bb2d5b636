/** Circular imports: values alone count, for a type is gone when the program runs. */

/** `import … from "x"`, `export … from "x"`, `import "x"` at the start of a line, as `deno fmt` writes them. */
const IMPORT = /^(?:import|export)\b(?!\s+type\b)(?:[^"';]*?\bfrom)?\s*"(\.{1,2}\/[^"]+)"/gm;

/** The files whose values `path` imports when it is loaded, relative to the repository. */
export function importsOf(path: string, text: string): string[] {
  const base = new URL(path, "file:///");
  return text.matchAll(IMPORT).map((found) => new URL(found[1], base).pathname.slice(1)).toArray();
}

/** Circles, each once and from its alphabetically first file back to it; none only where there is none. */
export function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found = new Map<string, string[]>();
  const done = new Set<string>();
  const visit = (file: string, trail: string[]) => {
    const at = trail.indexOf(file);
    if (at >= 0) {
      const circle = turned(trail.slice(at));
      found.set(circle.join(), circle);
    }
    if (at >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of [...graph.keys()].sort()) visit(file, []);
  return [...found.values()];
}

function turned(circle: string[]): string[] {
  const first = circle.indexOf([...circle].sort()[0]);
  return [...circle.slice(first), ...circle.slice(0, first + 1)];
}
