import fc from "fast-check";
import { dropClaims } from "../../../protocols/http/drop_lines.ts";
import { Edits, fieldLine } from "../../../protocols/http/edits.ts";
import { KIND } from "../../../protocols/http/field_kinds.ts";
import { type Body, MessageHead, OPTION } from "../../../protocols/http/message_head.ts";
import { octets } from "../../../protocols/http/octets.ts";
import { parseRequest, parseResponse } from "../../../protocols/http/parse_head.ts";
import { writeRequest, writeResponse } from "../../../protocols/http/write_head.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

const OUT = new Uint8Array(16384);
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** The outgoing head of a request, or response, that `edit` changed. */
function written(from: string, edit: (edits: Edits, head: MessageHead, bytes: Uint8Array) => void): string {
  const bytes = latin1(from), head = new MessageHead(), edits = new Edits(), size = bytes.length;
  const response = from.startsWith("HTTP/");
  const parsed = response
    ? parseResponse(head, bytes, 0, size, 8192, 4)
    : parseRequest(head, bytes, 0, size, 8192);
  ok(parsed === head);
  edits.begin(head, bytes, true);
  edit(edits, head, bytes);
  const end = (response ? writeResponse : writeRequest)(head, bytes, edits, OUT, 3);
  return text(OUT.subarray(3, end));
}

const GET = "GET /a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n";

Deno.test("lines are dropped, set and added", () => {
  const name = octets("x-a"), line = fieldLine("X-A", "new");
  equal(
    written(GET, (edits, head, bytes) => edits.set(head, bytes, name, line)),
    "GET /a HTTP/1.1\r\nHost: a\r\nX-B: 2\r\nX-A: new\r\n\r\n",
  );
  equal(written(GET, (edits) => edits.add(line)), GET.replace(/\r\n$/, "X-A: new\r\n\r\n"));
  equal(
    written(GET, (_, head) => head.drop.fill(1, 0, 3)),
    "GET /a HTTP/1.1\r\nx-a: 3\r\n\r\n",
  );
  equal(
    written(OK, (edits, head) => edits.setKind(head, KIND.contentLength, fieldLine("Via", "1.1 x"))),
    "HTTP/1.1 200 OK\r\nX-A: 1\r\nVia: 1.1 x\r\n\r\n",
  );
});

Deno.test("target and Host are replaced, together and each alone", () => {
  const rest = "X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n\r\n";
  equal(
    written(GET, (edits) => edits.target = octets("/b?c")),
    `GET /b?c HTTP/1.1\r\nHost: a\r\n${rest}`,
  );
  equal(
    written(GET, (edits) => edits.host = octets("b:81")),
    `GET /a HTTP/1.1\r\nHost: b:81\r\n${rest}`,
  );
  equal(
    written("GET http://x/a HTTP/1.0\r\n\r\n", (edits) => {
      edits.host = octets("b");
      edits.target = octets("/b");
    }),
    "GET /b HTTP/1.1\r\nHost: b\r\n\r\n",
  );
});

Deno.test("a Host that was set as a field is the only one", () => {
  for (const first of ["GET / HTTP/1.1\r\nHost:a\r\n", "GET http://b/ HTTP/1.1\r\nHost: a\r\n"]) {
    const head = written(`${first}\r\n`, (edits, parsed) => {
      edits.setKind(parsed, KIND.host, fieldLine("Host", "c"));
    });
    equal(head, "GET / HTTP/1.1\r\nHost: c\r\n\r\n");
  }
});

Deno.test("the head says how its content goes on, and nothing else about that", () => {
  const goesOn = (body: Body) => written(OK, (edits) => edits.body = body);
  equal(goesOn("length"), OK);
  equal(goesOn("chunked"), "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  equal(goesOn("close"), "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\n");
});

Deno.test("Connection says what the gate says", () => {
  const said = (options: number) => written(OK, (edits) => edits.options |= options).slice(OK.length - 2, -4);
  equal(said(OPTION.close), "Connection: close");
  equal(said(OPTION.keepAlive), "Connection: keep-alive");
  equal(said(OPTION.close | OPTION.upgrade), "Connection: close, upgrade");
  equal(said(0), "");
});

Deno.test("claims of a trusted proxy stay, claims of an identity never do", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\n";
  const claims = "X-Forwarded-For: 1\r\nForwarded: for=1\r\n";
  const sent = `${head}${claims}X-Forwarded-User: root\r\nX_Forwarded_For: 2\r\n\r\n`;
  equal(written(sent, (_, parsed) => dropClaims(parsed, true)), `${head}${claims}\r\n`);
  equal(written(sent, (_, parsed) => dropClaims(parsed, false)), `${head}\r\n`);
});

Deno.test("an upgrade that the gate does not pass on is gone", () => {
  const bytes = latin1("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  const head = new MessageHead(), edits = new Edits();
  parseRequest(head, bytes, 0, bytes.length, 4096);
  edits.begin(head, bytes, false);
  equal(text(OUT.subarray(0, writeRequest(head, bytes, edits, OUT, 0))), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
});

Deno.test("where there is no room for the head, none of it is written", () => {
  const bytes = latin1(GET), head = new MessageHead(), edits = new Edits(), out = new Uint8Array(100);
  parseRequest(head, bytes, 0, bytes.length, 4096);
  edits.begin(head, bytes, false);
  equal(writeRequest(head, bytes, edits, out, 50), -1);
  equal(writeResponse(head, bytes, edits, out, 50), -1);
  equal(out, new Uint8Array(100));
});

Deno.test("a line that would be two, or none, is not made", () => {
  equal(text(fieldLine("X-A", "b\tc")), "X-A: b\tc\r\n");
  equal(text(fieldLine("X-A", "")), "X-A: \r\n");
  equal(fieldLine("X", "é"), Uint8Array.of(0x58, 0x3a, 0x20, 0xc3, 0xa9, 0x0d, 0x0a));
  for (const [name, value] of [["X", "a\r\nB: c"], ["X", "a\nb"], ["X", "a\0"], ["X", " a"], ["X", "a "]]) {
    throws(() => fieldLine(name, value), /no valid name or value/);
  }
  for (const name of ["", "X Y", "X:", "X\r\n", "Ü"]) {
    throws(() => fieldLine(name, "a"), /no valid name or value/);
  }
});

Deno.test("whatever goes on reads as one request with the same framing, and none of its hop's fields", () => {
  const line = fc.constantFrom(
    ...[
      "X-A: 1\r\n",
      "x-b:\t2 \r\n",
      "Connection: x-a\r\n",
      "Connection: close, x-b\r\n",
      "Keep-Alive: 1\r\n",
    ],
    ...[
      "TE: trailers\r\n",
      "Upgrade: h2c\r\n",
      "Upgrade: websocket\r\n",
      "Connection: upgrade\r\n",
      "Cookie: a\r\n",
    ],
    ...["Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n", "X-Forwarded-For: 1\r\n", "Expect: x\r\n"],
  );
  const first = fc.constantFrom("GET / HTTP/1.1\r\n", "GET /x HTTP/1.0\r\n", "GET http://b/y HTTP/1.1\r\n");
  fc.assert(fc.property(first, fc.array(line, { maxLength: 10 }), (start, lines) => {
    const bytes = latin1(`${start}Host: a\r\n${lines.join("")}\r\n`), head = new MessageHead();
    if (parseRequest(head, bytes, 0, bytes.length, 8192) !== head) return;
    const edits = new Edits(), again = new MessageHead();
    edits.begin(head, bytes, true);
    const end = writeRequest(head, bytes, edits, OUT, 0);
    equal(parseRequest(again, OUT, 0, end, 8192), again);
    equal([again.used, again.body, again.length], [end, head.body, head.length]);
    equal([again.upgrade, again.trailers, again.minor], [head.upgrade, head.trailers, 1]);
    equal([KIND.keepAlive, KIND.http2Settings, KIND.proxyConnection].map((kind) => again.find(kind)), [
      -1,
      -1,
      -1,
    ]);
  }));
});
