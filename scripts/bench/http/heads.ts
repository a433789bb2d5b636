/**
 * What an HTTP head costs: nanoseconds of CPU for reading one, and for reading it and writing what goes on.
 *
 *     deno run -A scripts/bench/http/heads.ts
 */
import process from "node:process";
import { Edits, fieldLine } from "../../../protocols/http/edits.ts";
import { dropClaims } from "../../../protocols/http/drop_lines.ts";
import { MessageHead } from "../../../protocols/http/message_head.ts";
import { octets } from "../../../protocols/http/octets.ts";
import { parseRequest, parseResponse } from "../../../protocols/http/parse_head.ts";
import { writeRequest, writeResponse } from "../../../protocols/http/write_head.ts";
import { ChunkedBody, chunkPieces } from "../../../protocols/http/chunked.ts";

const LIMIT = 65536;
const WARM_UP = 5;
const ROUNDS = 31;
/** Calls of one round. */
const TIMES = 20_000;

const lines = (...text: readonly string[]): Uint8Array => octets(`${text.join("\r\n")}\r\n\r\n`);

const CURL = lines(
  "GET /index.html HTTP/1.1",
  "Host: www.example.com",
  "User-Agent: curl/8.5.0",
  "Accept: */*",
);

const AGENT = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
  "Chrome/126.0.0.0 Safari/537.36";

/** 304 octets, six fields. */
const SHORT = lines(
  "GET /api/v1/items?page=2&sort=name&limit=100 HTTP/1.1",
  "Host: shop.apps.example.com",
  AGENT,
  "Accept: application/json, text/plain, */*",
  "Accept-Encoding: gzip, deflate, br",
  "Connection: keep-alive",
);

/** 766 octets, as a browser's. */
const BROWSER = lines(
  "GET /products/overview/gateway?ref=start HTTP/1.1",
  "Host: www.example.com",
  "Connection: keep-alive",
  'sec-ch-ua: "Not/A)Brand";v="8", "Chromium";v="126"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  AGENT,
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-User: ?1",
  "Sec-Fetch-Dest: document",
  "Referer: https://www.example.com/products/",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=2024-06-01T10:00:00+00",
);

const RESPONSE = lines(
  "HTTP/1.1 200 OK",
  "Server: nginx/1.22.1",
  "Date: Sat, 01 Jun 2024 10:00:00 GMT",
  "Content-Type: text/html",
  "Content-Length: 612",
  "Last-Modified: Tue, 11 Apr 2023 01:45:34 GMT",
  "Connection: keep-alive",
  'ETag: "6434bbbe-264"',
  "Accept-Ranges: bytes",
);

const head = new MessageHead();
const edits = new Edits();
const out = new Uint8Array(2 * LIMIT);
const pieces = chunkPieces();
const ADDED = [
  fieldLine("X-Forwarded-For", "192.0.2.1"),
  fieldLine("X-Forwarded-Proto", "https"),
  fieldLine("X-Request-Id", "0123456789abcdef0123456789abcdef"),
];

function readRequest(bytes: Uint8Array): number {
  return parseRequest(head, bytes, 0, bytes.length, LIMIT) === head ? head.used : 0;
}

function passRequest(bytes: Uint8Array): number {
  if (readRequest(bytes) === 0) return 0;
  edits.begin(head, bytes, false);
  dropClaims(head, false);
  for (let i = 0; i < ADDED.length; i++) edits.add(ADDED[i]);
  return writeRequest(head, bytes, edits, out, 0);
}

function readResponse(bytes: Uint8Array): number {
  return parseResponse(head, bytes, 0, bytes.length, LIMIT, 0) === head ? head.used : 0;
}

function passResponse(bytes: Uint8Array): number {
  if (readResponse(bytes) === 0) return 0;
  edits.begin(head, bytes, false);
  return writeResponse(head, bytes, edits, out, 0);
}

function decodeChunks(bytes: Uint8Array): number {
  const used = new ChunkedBody(true).decode(bytes, 0, bytes.length, pieces);
  return typeof used === "number" ? used : 0;
}

/** ns of CPU for one call, a sample. */
function nanoseconds(act: (bytes: Uint8Array) => number, bytes: Uint8Array): number {
  const before = process.cpuUsage();
  for (let i = 0; i < TIMES; i++) {
    if (act(bytes) === 0) throw new Error("Cannot measure: the message is refused");
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000 / TIMES;
}

const CHUNKS = octets(`${`400\r\n${"x".repeat(1024)}\r\n`.repeat(16)}0\r\n\r\n`);

const CASES = [
  ["read a request of curl", readRequest, CURL],
  ["read a short request", readRequest, SHORT],
  ["read a browser's request", readRequest, BROWSER],
  ["read and write a short request", passRequest, SHORT],
  ["read and write a browser's request", passRequest, BROWSER],
  ["read a response", readResponse, RESPONSE],
  ["read and write a response", passResponse, RESPONSE],
  ["check 16 chunks of 1 KiB", decodeChunks, CHUNKS],
] as const;

/** Round by round, so that all of them share a compiler that has seen all, and a machine that others use. */
const samples = CASES.map((): number[] => []);
for (let round = -WARM_UP; round < ROUNDS; round++) {
  CASES.forEach(([, act, bytes], at) => {
    const sample = nanoseconds(act, bytes);
    if (round >= 0) samples[at].push(sample);
  });
}
CASES.forEach(([name, , bytes], at) => {
  const sorted = samples[at].sort((a, b) => a - b);
  const [best, median] = [sorted[0], sorted[ROUNDS >> 1]].map((time) => time.toFixed(0).padStart(6));
  const size = bytes.length.toLocaleString("en-US").padStart(7);
  console.log(`${name.padEnd(36)}${size} octets, ns: best${best}, median${median}`);
});
