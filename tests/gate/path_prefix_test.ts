import fc from "fast-check";
import { prefixEnd, replacePath } from "../../gate/path_prefix.ts";
import { pathMatches, readingsOf } from "../../gate/request_path.ts";
import { equal } from "../support/assert.ts";

const normalPath = (path: string): string | undefined => readingsOf(path)?.normal;

/** Path, prefix (undefined: the whole path), what takes its place, and what comes of it. */
const REPLACED: readonly (readonly [string, string | undefined, string, string])[] = [
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "/", "/bar"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
  ["/foo//bar", "/foo", "/", "/bar"],
  ["/foo//evil.example", "/foo", "/", "/evil.example"],
  ["/foo//bar//x/", "/foo", "/xyz", "/xyz//bar//x/"],
  ["//foo///bar", "/foo", "/xyz", "/xyz///bar"],
  ["/", "/", "/xyz", "/xyz/"],
  ["/a", "/", "/xyz", "/xyz/a"],
  ["//a", "/", "/", "/a"],
  ["//a", "/", "/xyz/", "/xyz//a"],
  ["/%66oo/b%61r", "/foo", "/xyz", "/xyz/b%61r"],
  ["/%66%6F%6f", "/foo", "/xyz", "/xyz"],
  ["/caf%c3%A9/%c3", "/caf%C3%A9", "/xyz", "/xyz/%c3"],
  ["/{x}/%7Bx%7d/y", "/%7Bx%7D", "/xyz", "/xyz/%7Bx%7d/y"],
  ["/a//b/c", "/a/b", "/x/y/", "/x/y/c"],
  ["/a;v=1/b", "/a;v=1", "/x", "/x/b"],
  ["/any/thing", undefined, "/new/", "/new/"],
  ["/", undefined, "/new", "/new"],
];

Deno.test("what takes the place of a prefix, or of the whole path", () => {
  for (const [path, prefix, by, expected] of REPLACED) {
    equal(replacePath(path, prefix, by), expected, `${path} ${prefix} ${by}`);
  }
});

Deno.test("whatever the spelling, the prefix ends where a segment does, and the rest is as it came", () => {
  const unit = fc.constantFrom(
    "/",
    "//",
    "a",
    "%61",
    "b",
    "%62",
    "%c3",
    "%C3",
    "%2e",
    "x.y",
    "%7E",
    "{",
    "%7b",
    ";",
    "%3b",
  );
  const path = fc.array(unit, { maxLength: 10 }).map((units) => `/${units.join("")}`);
  fc.assert(fc.property(path, fc.nat(12), (spelled, length) => {
    const normal = normalPath(spelled);
    const prefix = normal?.slice(0, length).replace(/(.)\/$/, "$1");
    if (normal === undefined || !prefix || !pathMatches({ prefix }, normal)) return;
    const end = prefixEnd(spelled, prefix), rest = spelled.slice(end);
    equal(normalPath(`${spelled.slice(0, end)}`), prefix === "/" ? "" : prefix);
    equal(rest === "" || rest.startsWith("/"), true, JSON.stringify([spelled, prefix]));
    equal(
      normalPath(replacePath(spelled, prefix, "/new")),
      `/new${prefix === "/" ? normal : normal.slice(prefix.length)}`,
    );
  }));
});
