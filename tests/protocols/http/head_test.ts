import fc from "fast-check";
import { requestHead, responseHead, valuesOf } from "../../../protocols/http/head.ts";
import { equal, ok } from "../../support/assert.ts";

const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const read = (text: string, limit = 4096) => requestHead(limit)(latin1(text));
const faultOf = (text: string, limit?: number) => {
  const answer = read(text, limit);
  return typeof answer === "object" && "fault" in answer ? answer.fault : answer;
};

Deno.test("a head is read in its parts; what follows it is left alone", () => {
  const head = "GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-Empty:\r\nX-Two: \t a b \t\r\nx-two:\xe9\r\n\r\n";
  equal(read(head + "body"), {
    used: head.length,
    method: "GET",
    target: "/a?b",
    version: "1.1",
    fields: [["host", "a.example"], ["x-empty", ""], ["x-two", "a b"], ["x-two", "\xe9"]],
  });
  const bare = read("M-SEARCH * HTTP/1.0\r\n\r\n");
  ok(typeof bare === "object" && "fields" in bare);
  equal(bare.fields, []);
});

Deno.test("a head that comes in any two pieces, or byte by byte, reads the same", () => {
  const text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const bytes = latin1(text), whole = read(text);
  for (let first = 1; first < bytes.length; first++) {
    const parse = requestHead(4096), early = parse(bytes.subarray(0, first));
    if (typeof early === "number") equal(parse(bytes), whole);
    else equal(early, whole);
  }
  const parse = requestHead(4096);
  for (let length = 1; length <= bytes.length; length++) {
    const answer = parse(bytes.subarray(0, length));
    if (typeof answer === "number") equal(answer, length + 1);
    else return equal(answer, whole);
  }
});

Deno.test("what two parsers could read in two ways is refused", () => {
  const line = "GET / HTTP/1.1\r\n";
  for (
    const wrong of [
      "\r\n",
      "\n",
      "GET / HTTP/1.1\n",
      `${line}Host: a\n`,
      `${line}Host: a\n\n`,
      `${line}Host: a\r\n folded\r\n\r\n`,
      `${line} Host: a\r\n\r\n`,
      `${line}Host : a\r\n\r\n`,
      `${line}: a\r\n\r\n`,
      `${line}Host\r\n\r\n`,
      `${line}Host: a\0b\r\n\r\n`,
      `${line}Host: a\rb\r\n\r\n`,
      `${line}H\xf6st: a\r\n\r\n`,
      "GET  / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1 \r\n\r\n",
      " GET / HTTP/1.1\r\n\r\n",
      "GET /a b HTTP/1.1\r\n\r\n",
      "GET /\x01 HTTP/1.1\r\n\r\n",
      "GET\t/ HTTP/1.1\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / http/1.1\r\n\r\n",
    ]
  ) {
    equal(faultOf(wrong), 400, JSON.stringify(wrong));
  }
  for (const version of ["0.9", "1.2", "2.0"]) equal(faultOf(`GET / HTTP/${version}\r\n\r\n`), 505);
});

Deno.test("a head ends within its limit or is too large, whatever it is made of", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ok(typeof faultOf(head + "body", head.length) === "object");
  equal(faultOf(head + "body", head.length - 1), 431);
  equal(faultOf("G".repeat(100), 100), 431);
  equal(faultOf("G".repeat(99), 100), 100);
  equal(faultOf(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(100)}`, 500), 431);
});

Deno.test("a head has at most 256 fields: thousands of tiny ones would hold the thread", () => {
  const head = (fields: number) => `GET / HTTP/1.1\r\n${"a:\r\n".repeat(fields)}\r\n`;
  equal(faultOf(head(257), 65536), 431);
  equal(faultOf(head(16000).slice(0, 5000), 65536), 431); // told before all of it came
  const read = requestHead(65536)(latin1(head(256)));
  ok(typeof read === "object" && "fields" in read && read.fields.length === 256);
});

Deno.test("a response head is read, its reason may be missing", () => {
  const parse = (text: string) => responseHead(1024)(latin1(text));
  equal(parse("HTTP/1.1 200 OK fine\r\nA: b\r\n\r\n"), { used: 30, status: 200, fields: [["a", "b"]] });
  equal(parse("HTTP/1.0 407\r\n\r\n"), { used: 16, status: 407, fields: [] });
  for (const wrong of ["HTTP/1.1 99 x", "HTTP/2 200", "SSH-2.0-x", "HTTP/1.1  200 OK"]) {
    const answer = parse(`${wrong}\r\n\r\n`);
    ok(typeof answer === "object" && "fault" in answer);
  }
});

Deno.test("fields are found by name, each of them", () => {
  equal(valuesOf([["host", "a"], ["x", "b"], ["host", "c"]], "host"), ["a", "c"]);
});

Deno.test("random bytes are a head, a fault, or want more", () => {
  const pieces = fc.constantFrom(
    "GET",
    " ",
    "/",
    "\r\n",
    "\n",
    "\r",
    ":",
    "HTTP/1.1",
    "a",
    "\0",
    "Host: a\r\n",
  );
  fc.assert(fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
    const bytes = latin1(parts.join("")), answer = requestHead(64)(bytes);
    if (typeof answer === "number") ok(answer === bytes.length + 1 && bytes.length < 64);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void requestHead(128)(bytes)));
});
