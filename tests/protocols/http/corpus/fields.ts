/** Field lines as such, fields of one hop, and claims of who somebody is. */
import type { Case, Chapter } from "./case.ts";

const START = "GET / HTTP/1.1\r\nHost: a.example\r\n";
const fields = (lines: string): string => `${START}${lines}\r\n`;
const goesOn = (name: string, lines: string): Case => [name, fields(lines), "same"];
const refused = (name: string, lines: string, status = 400): Case => [name, fields(lines), status];
const becomes = (name: string, lines: string, rest: string): Case => [name, fields(lines), fields(rest)];
const removed = (name: string, lines: string): Case =>
  becomes(name, `A: 1\r\n${lines}B: 2\r\n`, "A: 1\r\nB: 2\r\n");

const LINES: readonly Case[] = [
  goesOn("an empty value", "X:\r\n"),
  goesOn("a value of whitespace", "X: \t \r\n"),
  goesOn("a value with whitespace around and in it", "X: \t a \t b \t\r\n"),
  goesOn("a value above ASCII", "X: \x80\xff\r\n"),
  goesOn("a value with colons and quotes", 'X: a:b "c\\"d"\r\n'),
  goesOn("a name of every sign a token has", "!#$%&'*+-.^_`|~9aZ: x\r\n"),
  goesOn("a name that comes again", "X: a\r\nx: b\r\nX: a\r\n"),
  goesOn("256 fields", "X: y\r\n".repeat(255)),
  refused("257 fields", "X: y\r\n".repeat(256), 431),
  refused("a head beyond the limit", `X: ${"y".repeat(5000)}\r\n`, 431),
  ["a head without an end", `${START}X: ${"y".repeat(5000)}`, 431],
  refused("a space before the colon", "X : y\r\n"),
  refused("a tab before the colon", "X\t: y\r\n"),
  refused("a space in the name", "X Y: z\r\n"),
  refused("an empty name", ": y\r\n"),
  refused("no colon", "X\r\n"),
  refused("a folded line", "X: y\r\n z\r\n"),
  refused("a line folded with a tab", "X: y\r\n\tz\r\n"),
  refused("whitespace before the first field's name", " X: y\r\n"),
  ["whitespace before the very first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400],
  ["a line of whitespace for the empty one", `${START} \r\n\r\n`, 400],
  refused("a line that ends with LF", "X: y\nZ: a\r\n"),
  refused("a name that ends with LF", "X\n: y\r\n"),
  refused("a CR in a value", "X: y\rz\r\n"),
  refused("a CR at the end of a value", "X: y\r\r\n"),
  refused("NUL in a value", "X: y\0z\r\n"),
  refused("NUL in a name", "X\0: y\r\n"),
  refused("a control octet in a value", "X: y\x0bz\r\n"),
  refused("DEL in a value", "X: \x7f\r\n"),
  refused("an escape in a value", "X: \x1b[2J\r\n"),
  refused("a name above ASCII", "X\xe4: y\r\n"),
  refused("a name with a slash", "X/Y: z\r\n"),
  refused("a name in quotes", '"X": y\r\n'),
  refused("a name in brackets", "X[0]: y\r\n"),
  ["a head that ends with LF", `${START}\n`, 400],
  ["a head that ends with CR", `${START}\rX`, 400],
];

const HOPS: readonly Case[] = [
  removed("Connection: keep-alive", "Connection: keep-alive\r\n"),
  removed("Connection: close is this hop's", "Connection: close\r\n"),
  removed("an empty Connection", "Connection: , ,\r\n"),
  removed("Keep-Alive", "Keep-Alive: timeout=5\r\n"),
  removed("Proxy-Connection", "Proxy-Connection: keep-alive\r\n"),
  removed("what Connection names", "Connection: x-a , X-B\r\nX-A: 1\r\nx-b: 2\r\nX-a: 3\r\n"),
  removed(
    "what several Connections name",
    "Connection: x-a\r\nX-B: 2\r\nX-A: 1\r\nConnection: close, x-b\r\n",
  ),
  removed("what Connection names before and behind it", "X-A: 1\r\nConnection: X-A\r\n"),
  becomes("a Host that Connection names stays", "Connection: host\r\n", ""),
  removed("TE of codings that are this hop's", "TE: gzip;q=0.5, deflate\r\nConnection: TE\r\n"),
  [
    "TE of trailers",
    fields("TE: gzip, trailers;q=1\r\nConnection: TE\r\nA: 1\r\n"),
    fields("A: 1\r\nTE: trailers\r\nConnection: TE\r\n"),
  ],
  removed(
    "HTTP/2 in clear",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
  ),
  removed("HTTP/2 in clear among others", "Connection: upgrade\r\nUpgrade: foo/1, H2C\r\n"),
  removed("HTTP2-Settings alone", "HTTP2-Settings: AAM\r\n"),
  removed("an Upgrade that Connection does not name", "Upgrade: websocket\r\n"),
  removed("an empty Upgrade", "Upgrade: \r\nConnection: upgrade\r\n"),
  [
    "a WebSocket",
    fields("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    fields("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n"),
  ],
  [
    "a WebSocket, and what else Connection names",
    fields("Upgrade: websocket\r\nX-A: 1\r\nConnection: x-a, Upgrade\r\n"),
    fields("Upgrade: websocket\r\nConnection: upgrade\r\n"),
  ],
  [
    "an Upgrade in HTTP/1.0",
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  refused("Connection of more than 256 octets", `Connection: ${"a,".repeat(129)}\r\n`, 431),
  refused("Connections of more than 256 octets", `Connection: ${"a,".repeat(70)}\r\n`.repeat(2), 431),
  goesOn("Expect", "Expect: 100-continue\r\n"),
  goesOn("credentials of a proxy are not the codec's to judge", "Proxy-Authorization: Basic eA==\r\n"),
  removed("a length in disguise", "Content_Length: 5\r\n"),
  removed("a coding in disguise", "Transfer_Encoding: chunked\r\n"),
];

const CLAIMS: readonly Case[] = [
  removed(
    "X-Forwarded-*",
    "X-Forwarded-For: 1\r\nX-FORWARDED-PROTO: 1\r\nx-forwarded-host: 1\r\nX-Forwarded-Port: 1\r\n",
  ),
  removed("any X-Forwarded-", "X-Forwarded-Prefix: /\r\nX-Forwarded-S: 1\r\n"),
  removed(
    "who a proxy says it is",
    "X-Forwarded-User: root\r\nX-Forwarded-Email: a@b\r\nRemote-User: root\r\n",
  ),
  removed(
    "certificates",
    "X-Forwarded-Client-Cert: x\r\nClient-Cert: x\r\nClient-Cert-Chain: x\r\nClient-Certificate: x\r\n",
  ),
  removed("addresses", "Forwarded: for=1\r\nX-Real-IP: 1\r\n"),
  removed(
    "claims with underscores",
    "X_Forwarded_For: 1\r\nREMOTE_USER: 1\r\nX-Real_IP: 1\r\nClient_Cert: x\r\n",
  ),
  removed("prefixes with underscores", "X_Forwarded_Groups: a\r\nClient_Cert_Subject: x\r\n"),
  goesOn(
    "what only looks like one",
    "X-Forwarded: 1\r\nClient: 1\r\nXX-Forwarded-For: 1\r\nForwarded-For: 1\r\n",
  ),
  goesOn("where a request is traced", "X-Request-Id: 1\r\ntraceparent: 00-a-b-01\r\nX_Request_Id: 1\r\n"),
];

export const FIELDS: readonly Chapter[] = [{ role: "client", cases: [...LINES, ...HOPS, ...CLAIMS] }];
