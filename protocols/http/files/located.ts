/** From a request's path to the file it means below the directory of its route. */
import type { FilesSite } from "../../../gate/requests.ts";
import { openBeneath, type OpenFile } from "../../../gate/engine/file_access.ts";
import { isPlainPath, readingsOf } from "../../../gate/request_path.ts";

export type Located =
  | { readonly is: "file"; readonly file: OpenFile; readonly name: string }
  /** The path names a directory without its slash. */
  | { readonly is: "directory"; readonly path: string }
  | { readonly is: "absent" };

const ABSENT: Located = { is: "absent" };
const INDEX = "index.html";
/** RFC 8615: at the top, where others look for it, and nowhere else. */
const WELL_KNOWN = "/.well-known";
const DOT_SEGMENT = /\/\./;

/** `path`: as it came, without its query. Throws GateError where there is a file that cannot be opened. */
export function locate({ directory, prefix }: FilesSite, path: string): Located {
  const normal = normalOf(path);
  if (!normal?.startsWith(prefix)) return ABSENT;
  const below = normal.slice(prefix.length);
  if (below !== "" && !below.startsWith("/") || isHidden(below)) return ABSENT;
  if (below === "") return { is: "directory", path: normal };
  const named = below.endsWith("/") ? `${below}${INDEX}` : below;
  const file = openBeneath(directory, octetsOf(named.slice(1)));
  if (file === undefined) return ABSENT;
  if (file.kind === "file") return { is: "file", file, name: named.slice(named.lastIndexOf("/") + 1) };
  file[Symbol.dispose]();
  return file.kind === "directory" && named === below ? { is: "directory", path: normal } : ABSENT;
}

/** undefined: a file has no such name, or nobody can tell where it leads. */
function normalOf(path: string): string | undefined {
  if (isPlainPath(path)) return path;
  const readings = readingsOf(path);
  return readings?.encodedSlash ? undefined : readings?.normal;
}

/** A name that begins with a dot is not for everybody (`.git`, `.htpasswd`). Dots are unreserved: no escape hides one. */
function isHidden(below: string): boolean {
  const top = below === WELL_KNOWN || below.startsWith(`${WELL_KNOWN}/`);
  return DOT_SEGMENT.test(top ? below.slice(WELL_KNOWN.length) : below);
}

/** The octets that a path in normal form stands for: it is ASCII, and every escape in it whole. */
function octetsOf(path: string): Uint8Array {
  const octets = path.replace(/%(..)/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
  return Uint8Array.from(octets, (octet) => octet.charCodeAt(0));
}
