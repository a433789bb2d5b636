import fc from "fast-check";
import { KIND } from "../../../protocols/http/field_kinds.ts";
import { ASKED, askedBy } from "../../../protocols/http/framing.ts";
import { MessageHead, OPTION } from "../../../protocols/http/message_head.ts";
import { octets } from "../../../protocols/http/octets.ts";
import { parseRequest, parseResponse } from "../../../protocols/http/parse_head.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

const text = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end));

function request(from: string, before = ""): { head: MessageHead; bytes: Uint8Array } {
  const bytes = latin1(before + from), head = new MessageHead();
  ok(parseRequest(head, bytes, before.length, bytes.length, 4096) === head, from);
  return { head, bytes };
}

const fieldsOf = (head: MessageHead, bytes: Uint8Array): string[][] =>
  Array.from({ length: head.count }, (_, line) => {
    return [
      text(bytes, head.nameStart(line), head.nameEnd(line)),
      text(bytes, head.valueStart(line), head.valueEnd(line)),
    ];
  });

Deno.test("a request head is offsets into the bytes it stands in", () => {
  const from = "POST /a?b HTTP/1.1\r\nHost: a.example:81\r\nX-Two: \t a b \t\r\nContent-Length: 3\r\n\r\n";
  const { head, bytes } = request(`${from}abc`, "before");
  equal([head.used, head.start, head.end], [from.length, 6, 6 + from.length]);
  equal([head.method, head.minor, head.form, head.body, head.length], ["POST", 1, "origin", "length", 3]);
  equal(text(bytes, head.start, head.methodEnd), "POST");
  equal(text(bytes, head.targetStart, head.targetEnd), "/a?b");
  equal(text(bytes, head.authorityStart, head.authorityEnd), "a.example:81");
  equal(fieldsOf(head, bytes), [["Host", "a.example:81"], ["X-Two", "a b"], ["Content-Length", "3"]]);
  equal([...head.kinds.subarray(0, 3)], [KIND.host, KIND.other, KIND.contentLength]);
  equal(text(bytes, head.nameStart(3), head.end), "\r\n");
});

Deno.test("an absolute target has an authority of its own, and a path where that ends", () => {
  const { head, bytes } = request("GET http://b.example:82/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
  equal([head.form, text(bytes, head.authorityStart, head.authorityEnd)], ["absolute", "b.example:82"]);
  equal(text(bytes, head.pathStart, head.targetEnd), "/x?y");
});

Deno.test("fields are found by kind and by name, each of them", () => {
  const { head, bytes } = request(
    "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nVia: 1\r\nx-a: 2\r\nVia: 2\r\n\r\n",
  );
  equal([head.find(KIND.via), head.find(KIND.via, 3), head.find(KIND.via, 5)], [2, 4, -1]);
  const name = octets("x-a");
  equal([head.findName(bytes, name), head.findName(bytes, name, 2), head.findName(bytes, name, 4)], [
    1,
    3,
    -1,
  ]);
  equal(head.find(KIND.cookie), -1);
});

Deno.test("what a request says of its connection is known", () => {
  const of = (lines: string, version = "1.1") =>
    request(`GET / HTTP/${version}\r\nHost: a\r\n${lines}\r\n`).head;
  equal(of("Connection: close, TE ,Keep-Alive, x\r\n").options, 1 | 2 | 8 | 16);
  equal(of("Connection: HTTP2-Settings\r\n").options, 0);
  equal(of("Connection: Upgrade\r\nUpgrade: websocket\r\n").upgrade, true);
  equal(of("Connection: Upgrade\r\nUpgrade: h2c\r\n").upgrade, false);
  equal(of("Upgrade: websocket\r\n").upgrade, false);
  equal(of("Connection: Upgrade\r\nUpgrade: websocket\r\n", "1.0").upgrade, false);
  equal(of("Expect: 100-Continue\r\n").expectContinue, true);
  equal(of("Expect: 100-continue\r\n", "1.0").expectContinue, false);
  equal(of("Expect: tea\r\n").expectContinue, false);
  equal(of("TE: gzip, trailers\r\n").trailers, true);
  equal(of("TE: trailersx\r\n").trailers, false);
  equal(OPTION.named, 16);
});

Deno.test("what a request asks for decides how its response ends", () => {
  const of = (line: string) => askedBy(request(`${line} HTTP/1.1\r\nHost: a:1\r\n\r\n`).head);
  equal(of("GET /"), 0);
  equal(of("HEAD /"), ASKED.head);
  equal(of("CONNECT a:1"), ASKED.connect);
  const { head } = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  equal(askedBy(head), ASKED.upgrade);
});

Deno.test("nothing of one head is left in the next", () => {
  const lines = "Connection: close, upgrade\r\nUpgrade: x\r\nTE: trailers\r\nExpect: 100-continue\r\n";
  const first = latin1(`GET http://b/ HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n`);
  const second = latin1(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${lines}\r\n`);
  const plain = latin1("GET / HTTP/1.1\r\nHost: c\r\n\r\n");
  const fresh = new MessageHead(), used = new MessageHead();
  for (const bytes of [first, second]) ok(parseRequest(used, bytes, 0, bytes.length, 4096) === used);
  parseResponse(used, latin1("HTTP/1.1 204 x\r\n\r\n"), 0, 18, 4096, 0);
  parseRequest(used, plain, 0, plain.length, 4096);
  parseRequest(fresh, plain, 0, plain.length, 4096);
  const { kinds: _, drop: __, ...left } = used;
  const { kinds: _1, drop: _2, ...expected } = fresh;
  equal(left, expected);
});

Deno.test("a head is looked at again only when a line ended", () => {
  const bytes = latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), head = new MessageHead();
  let parsed = 0, looked = 0;
  for (let to = 1; to <= bytes.length; to++) {
    head.start = -1;
    const answer = parseRequest(head, bytes, 0, to, 4096, looked);
    if (head.start === 0) parsed++;
    if (typeof answer === "number") equal(answer, to + 1);
    looked = to;
  }
  equal([parsed, head.used], [4, bytes.length]); // the first octet, and three line ends
});

Deno.test("a head of exactly the limit is read, one octet more is too long", () => {
  const bytes = latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\nmore"), head = new MessageHead();
  const size = bytes.length - 4;
  equal(parseRequest(head, bytes, 0, bytes.length, size), head);
  const answer = parseRequest(head, bytes, 0, bytes.length, size - 1);
  ok(typeof answer === "object" && "fault" in answer && answer.fault === 431);
});

Deno.test("random octets are a head, a fault, or want one more", () => {
  const pieces = fc.constantFrom(
    ...[
      "GET",
      "OPTIONS",
      "CONNECT",
      " ",
      "/",
      "*",
      "http://",
      "a:1",
      "\r\n",
      "\n",
      "\r",
      ":",
      " HTTP/1.1\r\n",
    ],
    ...[
      "HTTP/1.1 200 OK\r\n",
      "a",
      "\0",
      "\xff",
      "Host: a\r\n",
      "Content-Length:",
      "Transfer-Encoding:",
      "chunked",
    ],
    ...["Connection: x, ", "Upgrade: h2c\r\n", "5", ",", ";"],
  );
  const head = new MessageHead();
  const judge = (bytes: Uint8Array) => {
    for (const parse of [parseRequest, parseResponse]) {
      const answer = parse(head, bytes, 0, bytes.length, 64, 0);
      if (typeof answer === "number") ok(answer === bytes.length + 1 && bytes.length < 64);
      else if ("fault" in answer) equal(answer.used, 0);
      else ok(answer.used <= 64 && answer.used <= bytes.length);
    }
  };
  fc.assert(fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => judge(latin1(parts.join("")))));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), judge));
});
