/** What routes need of this machine to serve content: directories of files, and libraries that compress. */
import type { Coding } from "../requests.ts";
import { missingCoder } from "../engine/coders.ts";
import type { RouteConfiguration } from "./configuration.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { Path } from "./tree.ts";

/** The absolute path of a file that is named at this place. */
export type PathOf = (path: Path, file: string) => string;

/** The routes with absolute directories. Mistakes are found where they are written. */
export async function readContent(
  routes: readonly Located<RouteConfiguration>[],
  findings: Findings,
  pathOf: PathOf,
): Promise<Located<RouteConfiguration>[]> {
  const read: Located<RouteConfiguration>[] = [];
  for (const { path, value } of routes) {
    checkCoders(path, value.http?.compress ?? [], findings);
    read.push({ path, value: await withDirectory(path, value, findings, pathOf) });
  }
  return read;
}

async function withDirectory(
  path: Path,
  route: RouteConfiguration,
  findings: Findings,
  pathOf: PathOf,
): Promise<RouteConfiguration> {
  const { http } = route;
  if (!http?.files) return route;
  const at = [...path, "files"], directory = pathOf(at, http.files.directory);
  const fault = await faultOf(directory);
  if (fault !== undefined) findings.error(at, `Cannot serve ${directory}: ${fault}`);
  return { ...route, http: { ...http, files: { ...http.files, directory } } };
}

async function faultOf(directory: string): Promise<string | undefined> {
  try {
    const { isDirectory } = await Deno.stat(directory);
    return isDirectory ? undefined : "expected a directory, or a link to one";
  } catch (fault) {
    if (fault instanceof Deno.errors.NotFound) return "there is no such directory";
    return fault instanceof Error ? fault.message : String(fault);
  }
}

function checkCoders(path: Path, codings: readonly Coding[], findings: Findings): void {
  for (const coding of codings) {
    const missing = missingCoder(coding);
    if (missing !== undefined) findings.error([...path, "compress"], missing);
  }
}
