import fc from "fast-check";
import { isPlainPath, pathMatches, readingsOf } from "../../gate/request_path.ts";
import { equal, ok } from "../support/assert.ts";

/** Visible, and not of RFC 3986 3.3; a backslash has no place at all. */
const UNSAFE = '"<>[]^`{|}';
const normalOf = (path: string) => readingsOf(path)?.normal;

Deno.test("every spelling of a path is one path", () => {
  for (const path of ["/admin/x", "//admin///x", "/%61dmin/x", "/%61%64%6D%69%6e//x", "/admin/%78"]) {
    equal(normalOf(path), "/admin/x", path);
  }
  equal(normalOf("/a%c3%a9%3f"), "/a%C3%A9%3F");
  equal(normalOf("/a.b/..c/.d/e..;f"), "/a.b/..c/.d/e..;f");
  equal(normalOf("/a%2fb%2Fc"), "/a%2Fb%2Fc");
  equal(normalOf("/a%252e%252e/b"), "/a%252e%252e/b"); // a percent sign, and no dot
  equal(normalOf("*"), "*");
});

Deno.test("a path of which nobody can tell where it leads has no reading", () => {
  const dots = [
    "/a/../b",
    "/a/.",
    "/..",
    "/%2e%2e/b",
    "/.%2E",
    "/a/..;x/b",
    "/a/.;/b",
    "/a/..%3bx",
    "/a//..//b",
  ];
  const slashes = ["/a%2f..%2Fb", "/a/..%2fb", "/a/%2e%2e%2f", "/a\\b", "/a%5Cb", "/a%5cb"];
  const overlong = ["/a%c0%afb", "/%C0%AE%C0%AE/b", "/a%e0%80%af", "/a%F0%80%80%AF", "/a%c1%9c", "/a%c0%80"];
  for (const path of [...dots, ...slashes, ...overlong, "/a%00b", "/a%", "/a%zz", "/a%2", "/a%u002f"]) {
    equal(readingsOf(path), undefined, path);
    ok(!isPlainPath(path), path);
  }
});

Deno.test("a path with an encoded slash or parameters has more than one reading", () => {
  const readings = (path: string) => readingsOf(path)?.all.map(({ kept, decoded }) => `${kept} ${decoded}`);
  equal(readings("/a//b"), ["/a/b /a/b"]);
  equal(readings("/a%2f/b"), ["/a%2F/b /a%2F/b", "/a%2F/b /a/b"]);
  equal(readings("/a;x=1/b"), ["/a;x=1/b /a;x=1/b", "/a/b /a/b"]);
  equal(readings("/;x/a%3By"), ["/;x/a%3By /;x/a%3By", "/a /a"]);
  equal(readings("/a;p%2Fb/c"), [
    ...["/a;p%2Fb/c /a;p%2Fb/c", "/a;p%2Fb/c /a;p/b/c"],
    ...["/a/c /a/c", "/a/c /a/b/c"],
  ]);
});

Deno.test("an escape of a character that needs none is also read as that character", () => {
  const readings = (path: string) => readingsOf(path)?.all.map(({ decoded }) => decoded);
  equal(readings("/%40admin"), ["/%40admin", "/@admin"]);
  equal(readings("/a%2bb;c%3Dd/%7ee"), ["/a%2Bb;c%3Dd/~e", "/a%2Bb/~e", "/a+b;c=d/~e", "/a+b/~e"]);
  equal(readings("/a%20%25%3f%23%C3%A9%3b"), ["/a%20%25%3F%23%C3%A9%3B", "/a%20%25%3F%23%C3%A9"]);
  for (let code = 0x21; code < 0x7f; code++) {
    const sign = String.fromCharCode(code), path = `/a%${code.toString(16)}b`;
    if ("/\\#?%".includes(sign) || UNSAFE.includes(sign)) continue;
    equal(
      readingsOf(path)?.all.some(({ decoded }) => decoded === (sign === ";" ? "/a" : `/a${sign}b`)),
      true,
      sign,
    );
  }
});

Deno.test("a character that no path may have is one path with its escape", () => {
  for (const sign of UNSAFE) {
    const escape = `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
    equal(readingsOf(`/a${sign}b`), readingsOf(`/a${escape.toLowerCase()}b`), sign);
    equal(readingsOf(`/a${sign}b`)?.all, [{ kept: `/a${escape}b`, decoded: `/a${escape}b` }], sign);
    ok(!isPlainPath(`/a${sign}b`), sign);
  }
});

Deno.test("a normal path is its own normal form", () => {
  const piece = fc.constantFrom(
    ...[
      "/",
      "a",
      "%61",
      "{",
      "%7c",
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
      "%c0",
      "%af",
    ],
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const path = `/${pieces.join("")}`, normal = normalOf(path);
    if (normal === undefined) return;
    equal(normalOf(normal), normal);
    ok(!/\/\/|\/\.\.?(\/|;|$)|%5c|\\/i.test(normal), normal);
    if (isPlainPath(path)) equal(readingsOf(path)?.all, [{ kept: path, decoded: path }]);
  }));
});

Deno.test("a prefix takes whole segments, an exact path itself, an expression what it finds", () => {
  const prefix = { prefix: "/api" }, exact = { exact: "/api" }, regex = { regex: "^/a.+i" };
  equal(["/api", "/api/", "/api/x", "/apis", "/"].map((path) => pathMatches(prefix, path)), [
    ...[true, true, true, false, false],
  ]);
  equal(["/api", "/api/", "/api/x"].map((path) => pathMatches(exact, path)), [true, false, false]);
  equal(["/api", "/apis", "/ai"].map((path) => pathMatches(regex, path)), [true, true, false]);
  equal(pathMatches({ prefix: "/" }, "/x"), true);
  for (const match of [{ prefix: "/" }, { regex: ".*" }]) equal(pathMatches(match, "*"), false);
});
