/** Where content ends: lengths, chunks, connections; requests behind requests. */
import type { Case, Chapter } from "./case.ts";

const HOST = "Host: a.example\r\n";
const post = (lines: string, content = ""): string => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${content}`;
const NEXT = `GET /next HTTP/1.1\r\n${HOST}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const chunks = (text: string): string => post(CHUNKED, text);
const SEEN = chunks("");

const goesOn = (name: string, bytes: string): Case => [name, bytes, "same"];
const refused = (name: string, bytes: string, status = 400): Case => [name, bytes, status];
const length = (name: string, value: string): Case =>
  refused(name, post(`Content-Length:${value}\r\n`, "hello"));
/** Servers differ in what they take for a number, so it goes on in one spelling. */
const rewritten = (name: string, line: string): Case => [
  name,
  post(`${line}X: y\r\n`, "hello") + NEXT,
  post("X: y\r\nContent-Length: 5\r\n", "hello") + NEXT,
];
const coding = (name: string, lines: string, status = 400): Case =>
  refused(name, post(lines, "0\r\n\r\n"), status);
/** The head is good and gone when the content turns out not to be. */
const broken = (name: string, text: string, before = "", status = 400): Case => [
  name,
  chunks(text),
  { on: SEEN + before, refused: status },
];

const LENGTHS: readonly Case[] = [
  goesOn("no length is no content", post("") + NEXT),
  goesOn("a length of 0", post("Content-Length: 0\r\n") + NEXT),
  goesOn("a length, and a request behind it", post("Content-Length: 5\r\n", "hello") + NEXT),
  rewritten("a length with zeros in front", "Content-Length: 005\r\n"),
  ["a length of zeros", post("Content-Length: 000\r\n") + NEXT, post("Content-Length: 0\r\n") + NEXT],
  rewritten("a length with a tab before it", "Content-Length: \t5\r\n"),
  rewritten("a length with whitespace behind it", "Content-Length: 5 \r\n"),
  rewritten("a length without whitespace", "content-length:5\r\n"),
  goesOn(
    "content that looks like a request",
    post("Content-Length: 18\r\n", "GET / HTTP/1.1\r\n\r\n") + NEXT,
  ),
  goesOn("a GET with content", `GET / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello${NEXT}`),
  goesOn("a HEAD with content", `HEAD / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello${NEXT}`),
  goesOn("content that is not whole yet", post("Content-Length: 50\r\n", "hello")),
  goesOn("the largest length", post("Content-Length: 999999999999999\r\n", "hello")),
  [
    "a length in HTTP/1.0",
    `POST / HTTP/1.0\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    post("Content-Length: 5\r\n", "hello"),
  ],
  [
    "a length that Connection names stays",
    post("Connection: content-length\r\nContent-Length: 5\r\n", "hello") + NEXT,
    post("Content-Length: 5\r\n", "hello") + NEXT,
  ],
  length("an empty length", ""),
  length("a length of whitespace", " "),
  length("a length with a sign", " +5"),
  length("a length below zero", " -5"),
  length("a length in hexadecimal", " 0x5"),
  length("a length with hexadecimal digits", " 5a"),
  length("a length with a fraction", " 5.0"),
  length("a length with an exponent", " 5e0"),
  length("a length with an underscore", " 5_0"),
  length("a length with words", " 5 octets"),
  length("two lengths in one field", " 5, 5"),
  length("two lengths that differ in one field", " 5, 6"),
  length("a length and a comma", " 5,"),
  length("a length with a space in it", " 5 0"),
  length("a length in quotes", ' "5"'),
  length("a length in digits above ASCII", " \xb2"),
  length("a length with a vertical tab", "\x0b5"),
  length("a length with a NUL", " 5\0"),
  length("a length of 16 digits", " 1000000000000000"),
  length("a length beyond 64 bits", " 18446744073709551621"),
  refused("two lengths that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")),
  refused("the same length twice", post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello")),
  refused("a space before a length's colon", post("Content-Length : 5\r\n", "hello")),
  refused("a length on a folded line", post("Content-Length:\r\n 5\r\n", "hello")),
];

const CODINGS: readonly Case[] = [
  goesOn("chunks, and a request behind them", chunks("5\r\nhello\r\n0\r\n\r\n") + NEXT),
  [
    "a coding in capitals goes on in one spelling",
    post("TRANSFER-ENCODING: \tCHUNKED \r\n", "0\r\n\r\n") + NEXT,
    chunks("0\r\n\r\n") + NEXT,
  ],
  [
    "a coding goes on behind the other fields",
    post(`${CHUNKED}A: 1\r\n`, "0\r\n\r\n"),
    post(`A: 1\r\n${CHUNKED}`, "0\r\n\r\n"),
  ],
  [
    "a coding that Connection names",
    post(`Connection: transfer-encoding\r\n${CHUNKED}`, "0\r\n\r\n") + NEXT,
    chunks("0\r\n\r\n") + NEXT,
  ],
  coding("a length and chunks", `Content-Length: 5\r\n${CHUNKED}`),
  coding("chunks and a length", `${CHUNKED}Content-Length: 5\r\n`),
  coding("chunks and a length of 0", `${CHUNKED}Content-Length: 0\r\n`),
  coding("a length and another coding", "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"),
  coding("chunked twice", `${CHUNKED}${CHUNKED}`),
  coding("chunked twice in one field", "Transfer-Encoding: chunked, chunked\r\n"),
  coding("chunked, then another", "Transfer-Encoding: chunked, gzip\r\n"),
  coding("chunked, then identity", "Transfer-Encoding: chunked, identity\r\n"),
  coding("chunked, then another in a second field", `${CHUNKED}Transfer-Encoding: identity\r\n`),
  coding("another in a first field, then chunked", `Transfer-Encoding: identity\r\n${CHUNKED}`),
  coding("another before chunked", "Transfer-Encoding: gzip, chunked\r\n", 501),
  coding("identity before chunked", "Transfer-Encoding: identity, chunked\r\n", 501),
  coding("identity", "Transfer-Encoding: identity\r\n"),
  coding("gzip", "Transfer-Encoding: gzip\r\n"),
  coding("an empty coding", "Transfer-Encoding:\r\n"),
  coding("a word that begins with chunked", "Transfer-Encoding: chunkedfoo\r\n"),
  coding("a word that ends with chunked", "Transfer-Encoding: xchunked\r\n"),
  coding("chunked with a comma behind it", "Transfer-Encoding: chunked,\r\n"),
  coding("chunked with a comma before it", "Transfer-Encoding: ,chunked\r\n"),
  coding("chunked in quotes", 'Transfer-Encoding: "chunked"\r\n'),
  coding("chunked with a parameter", "Transfer-Encoding: chunked;q=1\r\n"),
  coding("chunked with a vertical tab", "Transfer-Encoding:\x0bchunked\r\n"),
  coding("chunked with a NUL", "Transfer-Encoding: chunked\0\r\n"),
  coding("chunked with an octet above ASCII", "Transfer-Encoding: chun\xebed\r\n"),
  coding("chunked with a no-break space", "Transfer-Encoding:\xa0chunked\r\n"),
  coding("a space before its colon", "Transfer-Encoding : chunked\r\n"),
  coding("a space before its name", " Transfer-Encoding: chunked\r\n"),
  coding("a coding on a folded line", "Transfer-Encoding:\r\n chunked\r\n"),
  coding("a CR before its name", "X: y\r\n\rTransfer-Encoding: chunked\r\n"),
  coding("a LF before its name", "X: y\nTransfer-Encoding: chunked\r\n"),
  refused("chunks in HTTP/1.0", `POST / HTTP/1.0\r\n${HOST}${CHUNKED}\r\n0\r\n\r\n`),
  refused(
    "chunks and a length in HTTP/1.0",
    `POST / HTTP/1.0\r\n${HOST}${CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n`,
  ),
];

const CHUNKS: readonly Case[] = [
  goesOn("several chunks", chunks("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") + NEXT),
  goesOn(
    "a chunk of hexadecimal letters",
    chunks(`A\r\n${"x".repeat(10)}\r\n0f\r\n${"y".repeat(15)}\r\n0\r\n\r\n`),
  ),
  goesOn("a last chunk of many zeros", chunks("0000\r\n\r\n") + NEXT),
  goesOn("chunk lines inside a chunk are content", chunks("5\r\n0\r\n\r\n\r\n0\r\n\r\n") + NEXT),
  goesOn("extensions", chunks('1;a;b=c;d="e;f"\r\nx\r\n0;last\r\n\r\n') + NEXT),
  goesOn("trailers", chunks("0\r\nX-Sum: 1\r\nServer-Timing: a\r\n\r\n") + NEXT),
  [
    "trailers that only a head may have",
    chunks(
      "0\r\nHost: b\r\nX-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\n\r\n",
    ),
    chunks("0\r\nX-Sum: 1\r\n\r\n"),
  ],
  [
    "trailers that claim an identity",
    chunks("0\r\nX-Forwarded-User: root\r\nX_Forwarded_For: 1\r\nClient-Cert: x\r\n\r\n") + NEXT,
    chunks("0\r\n\r\n") + NEXT,
  ],
  ["a chunk that is not whole yet", chunks("5\r\nhel"), "same"],
  ["a size that is not whole yet", chunks("5\r\nhello\r\n1"), { on: chunks("5\r\nhello\r\n"), waiting: 1 }],
  ["trailers that are not whole yet", chunks("0\r\nX: y\r\n"), { on: chunks("0\r\n"), waiting: 6 }],
  broken("no size", "\r\nhello\r\n0\r\n\r\n"),
  broken("a size that is none", "x\r\nhello"),
  broken("a size in hexadecimal's prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
  broken("a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
  broken("a size below zero", "-1\r\nhello"),
  broken("a size with an underscore", "1_0\r\nhello"),
  broken("a size in quotes", '"5"\r\nhello'),
  broken("whitespace before a size", " 5\r\nhello\r\n0\r\n\r\n"),
  broken("whitespace behind a size", "5 \r\nhello\r\n0\r\n\r\n"),
  broken("whitespace before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n"),
  broken("a size of 14 digits", "00000000000005\r\nhello"),
  broken("a size beyond 64 bits", "10000000000000005\r\nhello"),
  broken("a size with a comma", "5,a\r\nhello"),
  broken("a size with a control octet", "5\x0b\r\nhello"),
  broken("a size that ends with LF", "5\nhello\r\n0\r\n\r\n"),
  broken("a size that ends with CR", "5\rhello\r\n0\r\n\r\n"),
  broken("an extension that ends with LF", "5;a\nhello\r\n0\r\n\r\n"),
  broken("an extension with a CR in it", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
  broken("an extension with a NUL", "5;\0\r\nhello\r\n0\r\n\r\n"),
  broken("an extension without an end", `5;${"a".repeat(2000)}`),
  broken("an extension of more than a kilobyte", `5;${"a".repeat(1100)}\r\nhello\r\n0\r\n\r\n`),
  broken("a chunk without its CRLF", "5\r\nhello0\r\n\r\n", "5\r\nhello"),
  broken("a chunk that ends with LF", "5\r\nhello\n0\r\n\r\n", "5\r\nhello"),
  broken("a chunk that ends with CR", "5\r\nhello\r0\r\n\r\n", "5\r\nhello"),
  broken("a chunk longer than it said", "4\r\nhello\r\n0\r\n\r\n", "4\r\nhell"),
  broken("a chunk shorter than it said", "6\r\nhello\r\n0\r\n\r\n", "6\r\nhello\r"),
  broken("a last chunk that ends with LF", "0\n\r\n"),
  broken("trailers that end with LF", "0\r\nX: y\n\r\n", "0\r\n"),
  broken("an end of LF", "0\r\n\n", "0\r\n"),
  broken("a trailer without a colon", `0\r\n${NEXT}`, "0\r\n"),
  broken("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n", "0\r\n"),
  broken("a trailer without a name", "0\r\n: y\r\n\r\n", "0\r\n"),
  broken("a trailer with a space before its colon", "0\r\nX : y\r\n\r\n", "0\r\n"),
  broken("a trailer with a NUL", "0\r\nX: \0\r\n\r\n", "0\r\n"),
  broken("trailers of more than 8 KiB", `0\r\nX: ${"y".repeat(9000)}\r\n\r\n`, "0\r\n"),
  broken("more than 256 trailers", `0\r\n${"X: y\r\n".repeat(257)}\r\n`, "0\r\n", 431),
];

const PIPELINES: readonly Case[] = [
  goesOn("three requests", NEXT + post("Content-Length: 2\r\n", "ab") + NEXT),
  ["a good one before a bad one", `${NEXT}GET / HTTP/1.1\r\n\r\n`, { on: NEXT, refused: 400 }],
  [
    "a request inside a body with two framings",
    `${NEXT}${post(`Content-Length: 4\r\n${CHUNKED}`, "0\r\n\r\n")}${NEXT}`,
    {
      on: NEXT,
      refused: 400,
    },
  ],
  [
    "CRLF behind a body",
    `${post("Content-Length: 2\r\n", "ab")}\r\n${NEXT}`,
    post("Content-Length: 2\r\n", "ab") + NEXT,
  ],
  ["a head that is not whole yet", `${NEXT}GET / HT`, { on: NEXT, waiting: 8 }],
  ["garbage behind a body", `${post("Content-Length: 2\r\n", "abc")}${NEXT}`, {
    on: `${post("Content-Length: 2\r\n", "ab")}cGET /next HTTP/1.1\r\n${HOST}\r\n`,
  }],
];

const ok = (lines: string, content = ""): string => `HTTP/1.1 200 OK\r\n${lines}\r\n${content}`;
const CLOSE = "Connection: close\r\n";

const RESPONSES: readonly Case[] = [
  goesOn(
    "a length, and a response behind it",
    ok("Content-Length: 2\r\n", "ab") + ok("Content-Length: 0\r\n"),
  ),
  goesOn(
    "chunks, and a response behind them",
    ok(CHUNKED, "1\r\na\r\n0\r\n\r\n") + ok("Content-Length: 0\r\n"),
  ),
  ["the connection ends the content", ok("", "abc"), ok(CLOSE, "abc")],
  ["content in HTTP/1.0", `HTTP/1.0 200 OK\r\n\r\nabc`, ok(CLOSE, "abc")],
  ["a length in HTTP/1.0", `HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na`, ok("Content-Length: 1\r\n", "a")],
  ["Connection: close is this hop's", ok(`${CLOSE}Content-Length: 0\r\n`), ok("Content-Length: 0\r\n")],
  [
    "what Connection names",
    ok("Connection: x-a\r\nX-A: 1\r\nContent-Length: 0\r\n"),
    ok("Content-Length: 0\r\n"),
  ],
  goesOn("204 has no content", `HTTP/1.1 204 No Content\r\n\r\n${ok("Content-Length: 0\r\n")}`),
  ["204 with a length of 0", "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 x\r\n\r\n"],
  ["204 with chunks", `HTTP/1.1 204 x\r\n${CHUNKED}\r\n`, "HTTP/1.1 204 x\r\n\r\n"],
  goesOn(
    "304 has no content, and may say how much there would be",
    "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
  ),
  ["304 with chunks", `HTTP/1.1 304 x\r\n${CHUNKED}\r\n`, "HTTP/1.1 304 x\r\n\r\n"],
  goesOn("205 with a length of 0", "HTTP/1.1 205 x\r\nContent-Length: 0\r\n\r\n"),
  goesOn(
    "100, and the response behind it",
    `HTTP/1.1 100 Continue\r\n\r\n${ok("Content-Length: 1\r\n", "a")}`,
  ),
  goesOn("103 with links", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
  ["100 with a length", "HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 100 x\r\n\r\n"],
  refused("101 that nobody asked for", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
  refused("a length and chunks", ok(`Content-Length: 5\r\n${CHUNKED}`, "0\r\n\r\n")),
  refused("two lengths that differ", ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")),
  refused("the same length twice", ok("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
  refused("the same length twice in one field", ok("Content-Length: 5, 5\r\n", "hello")),
  refused("a length that is none", ok("Content-Length: five\r\n", "hello")),
  refused("a coding that is not chunked", ok("Transfer-Encoding: gzip\r\n", "hello")),
  refused("another coding before chunked", ok("Transfer-Encoding: gzip, chunked\r\n"), 501),
  refused("identity", ok("Transfer-Encoding: identity\r\n", "hello")),
  refused("chunks in HTTP/1.0", `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n0\r\n\r\n`),
  refused("a folded line", ok("X: y\r\n z\r\n")),
  refused("a space before a colon", ok("X : y\r\n")),
  refused("a CR in a value", ok("X: y\rSet-Cookie: z\r\n")),
  refused("a LF in a value", ok("X: y\nSet-Cookie: z\r\n")),
  refused("NUL in a value", ok("X: \0\r\n")),
  refused("an empty name", ok(": y\r\n")),
  ["a chunk that is broken", ok(CHUNKED, "5\r\nhello0\r\n\r\n"), {
    on: ok(CHUNKED, "5\r\nhello"),
    refused: 400,
  }],
  [
    "426 asks for another protocol",
    "HTTP/1.1 426 x\r\nUpgrade: TLS/1.0\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 426 x\r\nUpgrade: TLS/1.0\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n",
  ],
];

const TO_HEAD: readonly Case[] = [
  goesOn("a length without content", ok("Content-Length: 5\r\n") + ok("Content-Length: 0\r\n")),
  ["chunks without content", ok(CHUNKED) + ok(""), ok("") + ok("")],
  goesOn("nothing about content", ok("")),
  refused("a length that is none", ok("Content-Length: x\r\n")),
];

const TO_CONNECT: readonly Case[] = [
  goesOn("what follows is the tunnel's", ok("", "\x16\x03\r\n\r\n")),
  ["a length and chunks mean nothing", ok("Content-Length: 5\r\n", "abcdefgh"), ok("", "abcdefgh")],
  ["both mean nothing", ok(`Content-Length: 5\r\n${CHUNKED}`, "abcdefgh"), ok("", "abcdefgh")],
  ["chunks mean nothing", ok(CHUNKED, "abcdefgh"), ok("", "abcdefgh")],
  goesOn("a refusal has content", "HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\nno"),
  [
    "407 in HTTP/1.0",
    "HTTP/1.0 407 x\r\nProxy-Authenticate: Basic\r\n\r\nno",
    `HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n${CLOSE}\r\nno`,
  ],
];

const TO_UPGRADE: readonly Case[] = [
  [
    "a switch, and what the server says at once",
    "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x02hi",
  ],
  goesOn("a server that does not switch", ok("Content-Length: 2\r\n", "no") + ok("Content-Length: 0\r\n")),
  refused("a switch that does not say to what", "HTTP/1.1 101 x\r\n\r\n"),
  refused("a switch in HTTP/1.0", "HTTP/1.0 101 x\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
];

export const CONTENTS: readonly Chapter[] = [
  { role: "client", cases: [...LENGTHS, ...CODINGS, ...CHUNKS, ...PIPELINES] },
  { role: "upstream", cases: RESPONSES },
  { role: "toHead", cases: TO_HEAD },
  { role: "toConnect", cases: TO_CONNECT },
  { role: "toUpgrade", cases: TO_UPGRADE },
];
