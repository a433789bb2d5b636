/** The words of the log, a promise to who reads it: names of fields and events stay. log_line.ts has its forms. */

/** `log.level`: lines of that level are told and of those above it. docs/operating.md has this table. */
export const LOG_LEVELS = {
  error: "needs somebody: a fault of this program, and what it ended; an engine that died; a refused reload",
  warn: "worth knowing: limits that bite, sources that guess, endpoints that fail",
  info: "what the gate is there for: every connection, every change",
  debug: "everything: today what `info` has, and the layers around connections",
} as const;

export type Level = keyof typeof LOG_LEVELS;

/** Every name that a line may have, and what it means: names stay. docs/operating.md has this table. */
export const LOG_FIELDS = {
  time: "when it was: of a connection, its end; UTC, RFC 3339, to the millisecond",
  level: "debug, info, warn or error",
  event: "what the line is about",
  message: "a sentence: lines about anything but a connection have one",
  outcome: "`ok`, or the failure that ended the connection, or the request",
  ms: "how long the connection was there, or the request took",
  listener: "the listener's name",
  protocol: "what it was told apart as; `unknown`: nothing that the listener lists",
  peer: "address and port of the client, as PROXY protocol gives it; or `unix`",
  target: "what the client asked for, as SOCKS, CONNECT, its SNI or its Host names it",
  endpoint: "where it went: the address that was dialed last, and the layers on the way there",
  method: "the method of the request",
  host: "whom the request was for, as it said",
  path: "the path of the request, without its query",
  status: "the status of the response",
  up: "bytes relayed from the client; of a request, its content",
  down: "bytes relayed to the client; of a request, the content of its response",
  user: "who logged in; of a request, who its route's `auth` proved",
  identity: "who the client has proven to be, as a policy spells it",
  client: "address of the client of a request, where a proxy in `trustedProxies` tells it",
  serverName: "the SNI of the TLS that was unwrapped around it",
  tls: "the version of TLS that ended here, around it or its own",
  alpn: "the protocol that this TLS agreed on",
  clientCertificate: "SHA-256 of the certificate that its client proved to have, in hex",
  route: "place of the route it took, or `fallback`, or `acme`: an authority's challenge was answered",
  layers: "what was unwrapped around it, outermost first, comma between",
  requests: "how many requests of the connection were handled one by one: each has a line of its own",
  waitMs: "from the beginning of the request until the head of its response had come",
  retries: "how often the request was sent again",
  requestId: "the X-Request-Id that went upstream",
  sniffMs: "how long it took to tell the protocol",
  handshakeMs: "from there until the client had said where to",
  resolveMs: "how long it took to find the target's addresses",
  dialMs: "from there until the endpoint answered",
  side: "who caused the failure: client, upstream or gate",
  cause: "what failed, in sentences: the outermost first, then their causes",
  id: "number of the connection, one of its own until the gate ends; requests have their connection's",
  parent: "id of the connection it was unwrapped from: TLS, whose own line is at `debug`",
  limit: "which limit was hit, as in `ugate_limit_hits_total`",
  times: "how often since `since`",
  since: "when the burst began",
  source: "address of who gave wrong passwords or forged tokens",
  failures: "wrong passwords, or forged tokens, of this source since the line before",
  certificate: "the name that a certificate is for",
  lines: "how many lines of the log are missing",
} as const;

export type LogField = keyof typeof LOG_FIELDS;

/** Fields that are numbers in JSON; all others are strings. */
export const NUMBER_FIELDS = [
  ...[
    "ms",
    "sniffMs",
    "handshakeMs",
    "resolveMs",
    "dialMs",
    "waitMs",
    "status",
    "requests",
    "retries",
  ] as const,
  ...["up", "down", "id", "parent", "times", "failures", "lines"] as const,
] as const;
type NumberField = typeof NUMBER_FIELDS[number];
type Head = "time" | "level" | "event" | "message";

/** What a line tells besides its head; what is undefined is left out. */
export type Fields =
  & { readonly [name in NumberField]?: number }
  & { readonly [name in Exclude<LogField, Head | NumberField>]?: string };

/** What lines are about. docs/operating.md has this table. */
export const LOG_EVENTS = {
  connection: "a connection is over: the one line about it",
  request: "a request that was handled as HTTP is over: the one line about it",
  limit: "a limit bites: one line when it begins, others while there is more to tell: see below",
  "auth-throttled":
    "a source gave so many wrong passwords (or keys, or forged tokens) that it has to wait: see fail2ban below",
  endpoint: "an endpoint of a route is left out because it fails, or is back",
  reload: "the configuration was read again: what is different now, or why nothing is",
  certificate: "an authority issued or renewed a certificate, or did not: when it is asked again",
  name:
    "somebody was refused a name or a forward, or a name went over from a connection that is still there: at most once a minute each",
  engine: "an engine thread died, or was started again",
  life: "the gate drains, or stops",
  warning: "something that an operator should know, and that stops nothing",
  fault: "a mistake of this program: please tell its authors",
  "log-lost": "nobody took the log for a while: so many lines are missing",
} as const;

export type LogEvent = keyof typeof LOG_EVENTS;

/** A line that is about no connection. */
export interface Message {
  readonly level: Level;
  readonly event: LogEvent;
  /** Says what the fields say: the text form has nothing else. Several lines may be one message. */
  readonly text: string;
  readonly fields?: Fields;
}
