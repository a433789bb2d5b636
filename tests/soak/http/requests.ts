/** Every kind of request that is soaked, and the only answer that is right. */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import type { Answer } from "./speaker.ts";
import { FILE, HOST, type HttpServers, PASSWORD, SMALL, USER } from "./world.ts";

/** One request, as it is sent, and what is wrong with its answer: nothing where it is right. */
export interface Request {
  readonly head: string;
  readonly content?: string;
  readonly isHead?: boolean;
  /** The gate, or its upstream, ends the connection behind it, or in it. */
  readonly last?: boolean;
  readonly judge: (answer: Answer) => string;
}

export interface RequestKind {
  readonly name: string;
  readonly weight: number;
  /** It goes on whatever its answer is, and nothing else has to be waited for: it may be pipelined. */
  readonly quick?: boolean;
  make(id: string, servers: HttpServers, random: () => number): Request;
}

const lines = (first: string, ...more: readonly string[]): string =>
  `${[`${first} HTTP/1.1`, `Host: ${HOST}`, ...more].join("\r\n")}\r\n\r\n`;

const contentOf = (id: string, size: number): string => `${id} `.padEnd(size, id);
const idOf = (head: string): string => /^x-id: (.*)\r$/im.exec(head)?.[1] ?? "";

/** The answer that a backend gave to this very request. */
function own(id: string, size = 0): Request["judge"] {
  return ({ status, head, content }) => {
    if (status !== 200 || idOf(head) !== id) return `expected 200 of ${id}, got ${status} of ${idOf(head)}`;
    return content.toString("latin1") === contentOf(id, size) ? "" : `the content is not that of ${id}`;
  };
}

const status = (...expected: readonly number[]): Request["judge"] => ({ status }) =>
  expected.includes(status) ? "" : `expected ${expected.join(" or ")}, got ${status}`;

/** What is missing of these in the head. */
const has = (judge: Request["judge"], ...patterns: readonly RegExp[]): Request["judge"] => (answer) =>
  judge(answer) ||
  patterns.filter((pattern) => !pattern.test(answer.head)).map((pattern) => `no ${pattern} in ${answer.head}`)
    .join();

const get = (path: string, judge: Request["judge"], ...more: readonly string[]): Request => ({
  head: lines(`GET ${path}`, ...more),
  judge,
});

function post(path: string, content: string, judge: Request["judge"], ...more: readonly string[]): Request {
  return { head: lines(`POST ${path}`, `Content-Length: ${content.length}`, ...more), content, judge };
}

function chunked(path: string, content: string, judge: Request["judge"]): Request {
  const half = content.length >> 1,
    parts = [content.slice(0, half), content.slice(half)].filter((part) => part);
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  return { head: lines(`POST ${path}`, "Transfer-Encoding: chunked"), content: `${chunks}0\r\n\r\n`, judge };
}

const came = (id: string, size: number): Request["judge"] =>
  has(own(id), new RegExp(`^x-came: ${size}\r$`, "im"));
const quick = (name: string, weight: number, make: RequestKind["make"]): RequestKind => ({
  name,
  weight,
  quick: true,
  make,
});
const slow = (name: string, weight: number, make: RequestKind["make"]): RequestKind => ({
  name,
  weight,
  make,
});
const sized = (random: () => number, most: number) => Math.floor(random() ** 3 * most);
const BASIC = `Authorization: Basic ${btoa(`${USER}:${PASSWORD}`)}`;
const WRONG = `Authorization: Basic ${btoa(`${USER}:guess`)}`;

const SERVED: readonly RequestKind[] = [
  quick("small", 12, (id) => get(`/r/plain?id=${id}`, own(id))),
  quick("any size", 6, (id, _, random) => {
    const size = sized(random, 60_000);
    return get(`/r/plain?id=${id}&size=${size}`, own(id, size));
  }),
  quick("chunks back", 5, (id, _, random) => {
    const size = 2 + sized(random, 60_000);
    return get(`/r/v2/x?id=${id}&size=${size}&chunks`, own(id, size));
  }),
  slow("much", 0.3, (id) => get(`/r/plain?id=${id}&size=1000000`, own(id, 1_000_000))),
  quick("nothing", 2, (id) => get(`/r/plain?id=${id}&status=204`, status(204))),
  slow(
    "HEAD",
    2,
    (id) => ({
      head: lines(`HEAD /r/plain?id=${id}&size=500`),
      isHead: true,
      judge: has(status(200), /^content-length: 500\r$/im),
    }),
  ),
  quick("content by length", 5, (id, _, random) => {
    const content = contentOf(id, sized(random, 60_000));
    return post(`/r/plain?id=${id}`, content, came(id, content.length));
  }),
  quick("content in chunks", 5, (id, _, random) => {
    const content = contentOf(id, sized(random, 60_000));
    return chunked(`/r/plain?id=${id}`, content, came(id, content.length));
  }),
  slow(
    "100-continue",
    1,
    (id) => post(`/r/plain?id=${id}`, contentOf(id, 3000), came(id, 3000), "Expect: 100-continue"),
  ),
  quick("balanced", 3, (id) => get(`/r/balanced?id=${id}`, own(id))),
  quick("rewritten", 3, (id) => get(`/r/rewritten/x?id=${id}`, has(own(id), /^x-host: inner\.test\r$/im))),
  quick("headers", 3, (id) => get(`/r/headers?id=${id}`, has(own(id), /^x-added: 1\r$/im), "X-Gone: 1")),
  quick("picked", 2, (id) => post(`/r/picked?pick=1&id=${id}`, "x", came(id, 1), "X-Pick: yes")),
  quick("a slash in a name", 2, (id) => get(`/r/kept/a%2fb?id=${id}`, own(id))),
  quick("over TLS from there", 6, (id, _, random) => {
    const size = sized(random, 60_000);
    return get(`/r/secure?id=${id}&size=${size}`, own(id, size));
  }),
  quick("mirrored", 2, (id) => get(`/r/mirrored?id=${id}`, own(id))),
  quick("sent again", 2, (id) => get(`/r/again?id=${id}`, own(id))),
  quick("a password", 3, (id) => get(`/r/basic?id=${id}`, own(id), BASIC)),
  quick("a token", 3, (id, { token }) => get(`/r/jwt?id=${id}`, own(id), `Authorization: Bearer ${token}`)),
  quick("coded", 2, (id) => ({
    ...get(`/r/coded?id=${id}&size=9000`, ({ status, head, content }) => {
      if (status !== 200 || !/^content-encoding: gzip\r$/im.test(head)) return `expected gzip, got ${head}`;
      return gunzipSync(content).toString("latin1") === contentOf(id, 9000)
        ? ""
        : "the content is another one";
    }, "Accept-Encoding: gzip"),
  })),
  quick(
    "a file",
    4,
    () =>
      get("/r/files/text.txt", (answer) =>
        status(200)(answer) ||
        (answer.content.length === FILE ? "" : `the file has ${answer.content.length} octets`)),
  ),
  quick(
    "a part of a file",
    2,
    () => get("/r/files/text.txt", has(status(206), /^content-length: 5\r$/im), "Range: bytes=5-9"),
  ),
  quick(
    "a file, coded",
    1,
    () => get("/r/files/text.txt", has(status(200), /^content-encoding: zstd\r$/im), "Accept-Encoding: zstd"),
  ),
  slow(
    "content that the connection ends",
    0.5,
    (id) => ({ ...get(`/r/odd/end?id=${id}`, own(id, 3000)), last: true }),
  ),
  slow("HTTP/1.0 back", 0.5, (id) => ({ ...get(`/r/odd/old?id=${id}`, own(id, 10)), last: true })),
];

const REFUSED: readonly RequestKind[] = [
  quick("a fixed answer", 3, () => get("/r/respond", status(418))),
  quick(
    "a redirect",
    2,
    () => get("/r/redirect/x", has(status(307), /^location: https?:\/\/other\.test\/elsewhere\/x\r$/im)),
  ),
  quick("no route", 2, () => get("/nowhere", status(404))),
  quick("no file", 1, () => get("/r/files/none.txt", status(404))),
  quick("another source", 1, () => get("/r/sourced", status(403))),
  quick("not picked", 1, () => get("/r/picked?pick=1", status(404))),
  quick("no password", 1, () => get("/r/basic", status(401))),
  quick("a guess", 0.2, () => get("/r/basic", status(401, 429), WRONG)),
  quick(
    "a forged token",
    0.2,
    (_, { token }) => get("/r/jwt", status(401, 429), `Authorization: Bearer ${token.slice(0, -8)}AAAAAAAA`),
  ),
  quick("too often", 2, () => get("/r/limited", status(200, 429))),
  quick("nobody listens", 1, () => get("/r/closed", status(502))),
  quick("dot segments", 1, () => get("/r/plain/../basic", status(400))),
  quick("an upstream that resets", 0.5, (id) => get(`/r/odd/reset?id=${id}`, status(502))),
  quick("an upstream that makes no sense", 0.5, (id) => get(`/r/odd/wrong?id=${id}`, status(502))),
  slow("an upstream that is late", 0.02, (id) => get(`/r/odd/late?id=${id}`, status(504))),
  slow(
    "too much content",
    0.5,
    () => ({ ...post("/r/small", "x".repeat(SMALL + 1), status(413)), last: true }),
  ),
  slow("no request line", 1, () => ({ head: "GET / HTTP/1.1 x\r\n\r\n", judge: status(400), last: true })),
  slow("two framings", 1, () => ({
    head: lines("POST /r/plain", "Content-Length: 5", "Transfer-Encoding: chunked"),
    content: "0\r\n\r\n",
    judge: status(400),
    last: true,
  })),
  slow("a broken chunk", 0.5, () => ({
    head: lines("POST /r/plain", "Transfer-Encoding: chunked"),
    content: "5\nhello\r\n0\r\n\r\n",
    judge: status(400),
    last: true,
  })),
  slow(
    "a head too long",
    0.2,
    () => ({ head: lines("GET /r/plain", `X: ${"y".repeat(20_000)}`), judge: status(431), last: true }),
  ),
];

export const REQUEST_KINDS: readonly RequestKind[] = [...SERVED, ...REFUSED];
export const QUICK = REQUEST_KINDS.filter((kind) => kind.quick);

/** One of these, by their weights. */
export function drawn(kinds: readonly RequestKind[], random: () => number): RequestKind {
  let left = random() * kinds.reduce((sum, { weight }) => sum + weight, 0);
  return kinds.find(({ weight }) => (left -= weight) < 0) ?? kinds[0];
}

export const bytesOf = ({ head, content = "" }: Request): Buffer => Buffer.from(head + content, "latin1");
