import fc from "fast-check";
import { normalPath, pathMatches } from "../../gate/request_path.ts";
import { equal, ok } from "../support/assert.ts";

Deno.test("every spelling of a path is one path", () => {
  for (const path of ["/admin/x", "//admin///x", "/%61dmin/x", "/%61%64%6D%69%6e//x", "/admin/%78"]) {
    equal(normalPath(path), "/admin/x", path);
  }
  equal(normalPath("/a%c3%a9%3f"), "/a%C3%A9%3F");
  equal(normalPath("/a.b/..c/.d/e..;f"), "/a.b/..c/.d/e..;f");
  equal(normalPath("*"), "*");
});

Deno.test("a path that servers read in several ways has no normal form", () => {
  const doubtful = [
    "/a/../b",
    "/a/.",
    "/..",
    "/%2e%2e/b",
    "/.%2E",
    "/a/..;x/b",
    "/a/.;/b",
    "/a%2fb",
    "/a%5Cb",
  ];
  for (const path of [...doubtful, "/a\\b", "/a%00b", "/a%", "/a%zz", "/a%2", "/a//..//b"]) {
    equal(normalPath(path), undefined, path);
  }
});

Deno.test("a normal path is its own normal form", () => {
  const piece = fc.constantFrom(
    "/",
    "a",
    "%61",
    "%2e",
    ".",
    "%41",
    "%c3",
    ";",
    "%3B",
    "b",
    "//",
    "%2f",
    "\\",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const normal = normalPath(`/${pieces.join("")}`);
    if (normal === undefined) return;
    equal(normalPath(normal), normal);
    ok(!/\/\/|\/\.\.?(\/|;|$)|%2f|%5c|\\/i.test(normal), normal);
  }));
});

Deno.test("a prefix takes whole segments, an exact path itself", () => {
  const prefix = { prefix: "/api" }, exact = { exact: "/api" };
  equal(["/api", "/api/", "/api/x", "/apis", "/"].map((path) => pathMatches(prefix, path)), [
    ...[true, true, true, false, false],
  ]);
  equal(["/api", "/api/", "/api/x"].map((path) => pathMatches(exact, path)), [true, false, false]);
  equal(pathMatches({ prefix: "/" }, "/x"), true);
  equal(pathMatches({ prefix: "/" }, "*"), false);
});
