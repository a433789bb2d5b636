import fc from "fast-check";
import { HttpRefusal, parseHead } from "../../../gate/admin/head.ts";
import { equal, ok } from "../../support/assert.ts";

const parse = (...lines: string[]) => parseHead(new TextEncoder().encode(lines.join("\r\n")));

function refused(...lines: string[]): number {
  try {
    parse(...lines);
  } catch (thrown) {
    if (thrown instanceof HttpRefusal) return thrown.status;
    throw thrown;
  }
  return 0;
}

Deno.test("a head tells method, path, query, host and how much comes", () => {
  const head = parse(
    "POST /reload?confirm=5&x HTTP/1.1",
    "Host: localhost:15000",
    "content-length:  12 ",
    "A: 1",
    "a: 2",
  );
  const { method, path, host, length, persistent } = head;
  equal({ method, path, host, length, persistent }, {
    method: "POST",
    path: "/reload",
    host: "localhost:15000",
    length: 12,
    persistent: true,
  });
  equal([...head.query], [["confirm", "5"], ["x", ""]]);
  equal(head.headers.get("a"), "1, 2");
});

Deno.test("a connection stays where both sides may say more", () => {
  ok(parse("GET / HTTP/1.1", "Host: a").persistent);
  ok(!parse("GET / HTTP/1.1", "Host: a", "Connection: TE, Close").persistent);
  ok(!parse("GET / HTTP/1.0").persistent);
});

Deno.test("an absolute target names the same host", () => {
  equal(parse("GET http://a:1/status?x=1 HTTP/1.1", "Host: A:1").path, "/status");
  equal(parse("GET http://a HTTP/1.1", "Host: a").path, "/");
  equal(refused("GET http://b/ HTTP/1.1", "Host: a"), 421);
  equal(refused("GET https://a/ HTTP/1.1", "Host: a"), 400);
});

Deno.test("what is ambiguous or no HTTP is refused", () => {
  const host = "Host: a";
  equal(refused("GET / HTTP/1.1"), 400);
  for (
    const first of [
      "",
      "GET /",
      "GET  / HTTP/1.1",
      "GET / HTTP/2.0",
      "GET / HTTP/1.1 ",
      "G\u0001T / HTTP/1.1",
    ]
  ) {
    equal(refused(first, host), 400, first);
  }
  for (const target of ["status", "*", "a:443", "/a#b", "/\u00e9"]) {
    equal(refused(`GET ${target} HTTP/1.1`, host), 400, target);
  }
  for (const line of [" folded", "No Colon", "Name : x", ": x", "A: \u0000", "A: b\nC: d", "A: \rb", ""]) {
    equal(refused("GET / HTTP/1.1", host, line), 400, JSON.stringify(line));
  }
  equal(refused("GET / HTTP/1.1", host, "host: b"), 400);
  equal(refused("POST / HTTP/1.1", host, "Content-Length: 1", "Content-Length: 1"), 400);
  equal(refused("POST / HTTP/1.1", host, "Origin: a", "Origin: b"), 400);
  for (const length of ["-1", "1, 1", "0x10", "1e3", "9".repeat(16), "+1", ""]) {
    equal(refused("POST / HTTP/1.1", host, `Content-Length: ${length}`), 400, length);
  }
  equal(refused("POST / HTTP/1.1", host, "Transfer-Encoding: chunked"), 411);
  equal(refused("GET / HTTP/1.1", host, ...Array(100).fill("A: b")), 431);
});

Deno.test("random bytes throw nothing but a refusal", () => {
  const pieces = fc.constantFrom(
    ...[
      "GET",
      "POST",
      " ",
      "/",
      "http://a",
      "?",
      "%",
      " HTTP/1.1",
      "\r\n",
      "\r",
      "\n",
      "Host: a",
      ":",
      "\u0000",
    ],
    ...["Content-Length: 1", "Transfer-Encoding: x", "Connection: close", "\t", "a", "\u00ff"],
  );
  const near = fc.array(pieces, { maxLength: 20 }).map((chosen) => chosen.join(""));
  fc.assert(fc.property(fc.oneof(near, fc.string({ unit: "binary" })), (text) => {
    refused(text);
  }));
});

Deno.test("space in a field costs what it is long, and only what is around the value goes", () => {
  const space = " \t".repeat(1 << 20); // looked at from each of them again it would take hours
  const { headers } = parse("GET / HTTP/1.1", "Host: a", `A:${space}b${space}c${space}`, `E:${space}`);
  equal(headers.get("a") === `b${space}c`, true);
  equal(headers.get("e"), "");
  equal(refused("GET / HTTP/1.1", "Host: a", `A:${space}b${space}\u0001`), 400);
});
