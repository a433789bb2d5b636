/** Every fault there is, by what provokes it: a new one does not compile before it is tested. */
import { ChunkedBody, chunkPieces } from "../../../protocols/http/chunked.ts";
import {
  FAULTS,
  LONGEST_CHUNK_LINE,
  LONGEST_TRAILERS,
  MOST_CHUNK_EXCESS,
  MOST_CONNECTION,
  MOST_FIELDS,
} from "../../../protocols/http/faults.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1, LIMIT, pass, type Role } from "../../support/http_codec.ts";

const HOST = "Host: a\r\n";
const get = (lines: string): string => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;
const post = (lines: string): string => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n`;
const chunks = (text: string): string => post("Transfer-Encoding: chunked\r\n") + text;
/** Three octets of content in a line of a kilobyte. */
const wasteful = `3;${"x".repeat(LONGEST_CHUNK_LINE - 5)}\r\nabc\r\n`;

/** What each of them is refused for; `content` depends on what is allowed, and stands below. */
const PROVOKED: Readonly<Record<Exclude<keyof typeof FAULTS, "content">, readonly [Role, string]>> = {
  bareLineFeed: ["client", get("X: y\nZ: 1\r\n")],
  bareReturn: ["client", get("X: y\rContent-Length: 3\r\n")],
  control: ["client", get("X: \0\r\n")],
  noName: ["client", get(": chunked\r\n")],
  folded: ["client", get("Transfer-Encoding:\r\n chunked\r\n")],
  noColon: ["client", get("Transfer-Encoding : chunked\r\n")],
  manyFields: ["client", get("X:\r\n".repeat(MOST_FIELDS))],
  longHead: ["client", get(`X: ${"y".repeat(LIMIT)}\r\n`)],
  noRequestLine: ["client", `GET  / HTTP/1.1\r\n${HOST}\r\n`],
  noStatusLine: ["upstream", "HTTP/1.1 0200 OK\r\n\r\n"],
  longMethod: ["client", `${"G".repeat(33)} / HTTP/1.1\r\n${HOST}\r\n`],
  longTarget: ["client", `GET /${"x".repeat(LIMIT)} HTTP/1.1\r\n${HOST}\r\n`],
  version: ["client", `GET / HTTP/1.2\r\n${HOST}\r\n`],
  target: ["client", `GET /#x HTTP/1.1\r\n${HOST}\r\n`],
  targetForm: ["client", `GET * HTTP/1.1\r\n${HOST}\r\n`],
  authority: ["client", `GET http://a@b/ HTTP/1.1\r\n${HOST}\r\n`],
  noHost: ["client", "GET / HTTP/1.1\r\n\r\n"],
  manyHosts: ["client", get("Host: b\r\n")],
  host: ["client", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
  length: ["client", post("Content-Length: 3, 3\r\n")],
  manyLengths: ["client", post("Content-Length: 3\r\nContent-Length: 30\r\n")],
  lengthAndCoding: ["client", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")],
  codingOfOldVersion: ["client", `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`],
  notChunkedLast: ["client", post("Transfer-Encoding: chunked, identity\r\n")],
  coding: ["client", post("Transfer-Encoding: gzip, chunked\r\n")],
  longConnection: ["client", get(`Connection: ${"x,".repeat(MOST_CONNECTION / 2)}close\r\n`)],
  connectBody: ["client", `CONNECT a:1 HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`],
  switched: ["upstream", "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"],
  chunkSize: ["client", chunks("0x3\r\nabc\r\n0\r\n\r\n")],
  longChunkLine: ["client", chunks(`3;${"x".repeat(LONGEST_CHUNK_LINE)}\r\nabc\r\n0\r\n\r\n`)],
  chunkExcess: ["client", chunks(wasteful.repeat(1 + MOST_CHUNK_EXCESS / (LONGEST_CHUNK_LINE - 22)))],
  chunkEnd: ["client", chunks("3\r\nabcd\r\n0\r\n\r\n")],
  longTrailers: ["client", chunks(`0\r\nX: ${"y".repeat(LONGEST_TRAILERS)}\r\n\r\n`)],
};

for (const [name, [role, text]] of Object.entries(PROVOKED)) {
  const { state, fault } = FAULTS[name as keyof typeof PROVOKED];
  Deno.test(`refused with ${fault}: ${state}`, () => {
    const { refused, why } = pass(role, text);
    equal([refused, why], [fault, state]);
    const behind = pass(role, `${text}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`);
    equal([behind.refused, behind.why], [fault, state]);
    ok(!behind.on.includes("smuggled"));
  });
}

Deno.test("content beyond what is allowed is refused before it goes on", () => {
  const pieces = chunkPieces(),
    body = new ChunkedBody(true, 8),
    bytes = latin1("5\r\nhello\r\n4\r\nmore\r\n");
  equal(body.decode(bytes, 0, bytes.length, pieces), 10);
  equal(body.decode(bytes, 10, bytes.length, pieces), FAULTS.content);
  equal(pieces.count, 0);
});

Deno.test("a fault is one value that nobody can change", () => {
  for (const fault of Object.values(FAULTS)) {
    ok(Object.isFrozen(fault));
    equal(fault.used, 0);
  }
});
