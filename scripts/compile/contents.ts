/**
 * What a binary has to hold: the graph of modules from main.ts and every Worker, read from the sources apart from
 * `deno compile`, and what they name by URL.
 */
const ROOT = new URL("../../", import.meta.url).pathname;
const PRODUCT = ["gate", "protocols", "routes"];
export const MAIN = "main.ts";

export interface Contents {
  /** Files that code names by `new URL("./x", import.meta.url)`: Workers and assets, which no import would bring. */
  readonly included: readonly string[];
  /** Paths of all modules and included files. */
  readonly files: readonly string[];
  /** npm packages as `name/version`. */
  readonly packages: readonly string[];
}

/** What `deno info --json` says of a graph. */
interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    /** The key of a package in `npmPackages`. */
    readonly npmPackage?: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
  }[];
  /** All of deno.lock, needed or not. */
  readonly npmPackages: Readonly<
    Record<
      string,
      { readonly name: string; readonly version: string; readonly dependencies: readonly string[] }
    >
  >;
}

/** Reads the sources. Throws on what could not be found in a binary: a computed import, or a file that is not there. */
export async function contents(): Promise<Contents> {
  const sources = [MAIN, ...PRODUCT.flatMap(modulesBelow)];
  const included = [...new Set(sources.flatMap((path) => namedIn(path, Deno.readTextFileSync(ROOT + path))))];
  const files = new Set(included), packages = new Set<string>();
  for (const entry of [MAIN, ...included.filter((path) => path.endsWith(".ts"))]) {
    const graph = await graphOf(entry);
    for (const file of reached(graph)) files.add(file);
    for (const name of packagesOf(graph)) packages.add(name);
  }
  return { included, files: [...files].sort(), packages: [...packages].sort() };
}

/** The files that a module names by URL, relative to the repository. Throws on a name that only running would tell. */
export function namedIn(path: string, text: string): string[] {
  const base = new URL(path, "file:///");
  const named = text.matchAll(/new URL\(\s*"(\.{1,2}\/[^"]+)",\s*import\.meta\.url/g)
    .map(([, relative]) => new URL(relative, base).pathname.slice(1)).toArray();
  const computed = /\bimport\((?!["')]).*/.exec(text)?.[0] ??
    (text.matchAll(/\bimport\.meta\.(url|dirname|filename|resolve)\b/g).toArray().length > named.length
      ? 'import.meta without new URL("./name", ...)'
      : undefined);
  if (computed === undefined) return named;
  throw new Error(`Cannot compile ${path}: ${computed} names no file before it runs`);
}

function modulesBelow(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? modulesBelow(path) : path.endsWith(".ts") ? [path] : [];
  });
}

async function graphOf(entry: string): Promise<Graph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--frozen", entry],
    cwd: ROOT,
    stdin: "null",
  }).output();
  if (!success) throw new Error(`Cannot read the modules of ${entry}: ${new TextDecoder().decode(stderr)}`);
  const graph: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const broken = graph.modules.find(({ error }) => error !== undefined);
  if (broken) throw new Error(`Cannot read the modules of ${entry}: ${broken.error}`);
  return graph;
}

/** The local modules whose code is loaded sooner or later; those of types alone are gone when the program runs. */
function* reached(graph: Graph): Generator<string> {
  const modules = new Map(graph.modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const seen = new Set(graph.roots), home = new URL(`file://${ROOT}`).href;
  for (const specifier of seen) { // grows while it is walked
    for (const { code } of modules.get(specifier) ?? []) if (code) seen.add(code.specifier);
    if (specifier.startsWith(home)) yield decodeURIComponent(specifier.slice(home.length));
  }
}

/** The packages that modules import, and those that these need, as `name/version`. */
function* packagesOf({ modules, npmPackages }: Graph): Generator<string> {
  const keys = new Set(modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  for (const key of keys) { // grows while it is walked
    const { name, version, dependencies } = npmPackages[key];
    for (const dependency of dependencies) keys.add(dependency);
    yield `${name}/${version}`;
  }
}
