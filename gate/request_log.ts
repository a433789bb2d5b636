/**
 * The lines of requests. There may be tens of thousands in a second, so their JSON is put together from octets, of which
 * those that stay the same in a connection are made once; the fields are those of the text form.
 */
import type { Peer } from "./contracts.ts";
import type { RequestRecord } from "./requests.ts";
import { causeChain } from "./errors.ts";
import type { Fields, Level } from "./log.ts";
import type { LineBuffer } from "./line_buffer.ts";
import { isoTime, jsonText, type LogFormat, peerText, recordLine, told, whole } from "./log_line.ts";

/** A request that is over, within its connection. Times in ms. */
export interface RequestEntry {
  readonly id: number;
  readonly parent?: number;
  readonly listener: string;
  readonly peer: Peer;
  readonly protocol: string;
  readonly endpoint: string;
  readonly route: string;
  /** Since the epoch. */
  readonly ended: number;
  readonly duration: number;
  readonly record: RequestRecord;
  /** Of its connection; another one is made where this is not of the same peer. */
  readonly words?: ConnectionWords;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const octets = (text: string): Uint8Array => text === "" ? NOTHING : encoder.encode(text);
const ZERO = 0x30;

/** What the lines of a connection have in common, as JSON. */
export class ConnectionWords {
  readonly where: Uint8Array;
  readonly user: Uint8Array;
  readonly serverName: Uint8Array;
  readonly layers: Uint8Array;
  readonly end: Uint8Array;

  constructor(
    { id, parent, listener, protocol, peer }: Pick<
      RequestEntry,
      "id" | "parent" | "listener" | "protocol" | "peer"
    >,
  ) {
    this.where = octets(
      fieldText("listener", listener) + fieldText("protocol", protocol) + fieldText("peer", peerText(peer)),
    );
    this.user = octets(field("user", peer.user));
    this.serverName = octets(field("serverName", peer.serverName));
    this.layers = octets(field("layers", peer.layers.join(",")));
    this.end = octets(`,"id":${id}${parent === undefined ? "" : `,"parent":${parent}`}}\n`);
    this.peer = peer;
  }

  /** Whose they are: who logs in becomes another one. */
  readonly peer: Peer;
}

const fieldText = (name: string, text: string): string => `,"${name}":${jsonText(text)}`;
/** An empty text is nothing to tell. */
const field = (name: string, text = ""): string => text === "" ? "" : fieldText(name, text);

/** Octets made of values that are often those of the line before. */
class Recurring<A, B = void> {
  #a: A | undefined;
  #b: B | undefined;
  #octets: Uint8Array = NOTHING;

  constructor(readonly make: (a: A, b: B) => string) {}

  of(a: A, b: B): Uint8Array {
    if (a !== this.#a || b !== this.#b) {
      this.#a = a;
      this.#b = b;
      this.#octets = octets(this.make(a, b));
    }
    return this.#octets;
  }
}

const ASKED = new Recurring((method: string, host: string) => field("method", method) + field("host", host));
const PATH = new Recurring((path: string) => field("path", path));
const ANSWERED = new Recurring((status: number, endpoint: string) =>
  `${status === 0 ? "" : `,"status":${status}`}${field("endpoint", endpoint)},"up":`
);
const ROUTE = new Recurring((route: string) => field("route", route));
const DOWN = octets(',"down":'), WAITED = octets(',"waitMs":'), RETRIES = octets(',"retries":');
const REQUEST_ID = octets(',"requestId":');

/** How nearly every line begins; the time in it is set anew. */
const WELL = octets(`{"time":"${isoTime(0)}","level":"info","event":"request","outcome":"ok","ms":`);
const TIME_AT = '{"time":"'.length, MILLISECONDS_AT = TIME_AT + "1970-01-01T00:00:00.".length;
const TIME = WELL.subarray(TIME_AT);
let second = 0;

function wellAt(time: number): Uint8Array {
  const current = Math.floor(time / 1000), rest = Math.floor(time) - current * 1000;
  if (current !== second) encoder.encodeInto(isoTime(time), TIME);
  second = current;
  WELL[MILLISECONDS_AT] = ZERO + Math.floor(rest / 100);
  WELL[MILLISECONDS_AT + 1] = ZERO + Math.floor(rest / 10) % 10;
  WELL[MILLISECONDS_AT + 2] = ZERO + rest % 10;
  return WELL;
}

/** Adds the line. */
export function logRequest(lines: LineBuffer, format: LogFormat, level: Level, entry: RequestEntry): void {
  if (format === "json") putJson(lines, level, entry);
  else lines.text(`${recordLine(format, level, entry.ended, requestFields(entry), "request")}\n`);
}

function putJson(lines: LineBuffer, level: Level, entry: RequestEntry): void {
  const { record, words = new ConnectionWords(entry) } = entry, { failure, waited } = record;
  if (level === "info" && !failure) lines.put(wellAt(entry.ended));
  else {
    const outcome = failure?.failure ?? "ok";
    lines.text(
      `{"time":"${isoTime(entry.ended)}","level":"${level}","event":"request","outcome":"${outcome}","ms":`,
    );
  }
  lines.number(Math.round(entry.duration)).put(words.where);
  lines.put(ASKED.of(record.method, record.host)).put(PATH.of(record.path));
  lines.put(ANSWERED.of(record.status, entry.endpoint)).number(record.up).put(DOWN).number(record.down);
  if (record.user === undefined) lines.put(words.user);
  else lines.text(fieldText("user", record.user));
  if (record.client !== undefined) lines.text(fieldText("client", record.client));
  lines.put(words.serverName).put(ROUTE.of(entry.route)).put(words.layers);
  if (waited !== undefined) lines.put(WAITED).number(Math.round(waited));
  if (record.retried !== 0) lines.put(RETRIES).number(record.retried);
  if (record.requestId !== "") lines.put(REQUEST_ID).json(record.requestId);
  if (failure) lines.text(fieldText("side", failure.side) + fieldText("cause", causeChain(failure)));
  lines.put(words.end);
}

/** In the order in which both forms have them. */
function requestFields(
  { id, parent, listener, peer, protocol, endpoint, route, duration, record }: RequestEntry,
): Fields {
  const { failure } = record;
  return {
    outcome: failure?.failure ?? "ok",
    ms: Math.round(duration),
    listener,
    protocol,
    peer: peerText(peer),
    method: told(record.method),
    host: told(record.host),
    path: told(record.path),
    status: record.status || undefined,
    endpoint: told(endpoint),
    up: record.up,
    down: record.down,
    user: record.user ?? peer.user,
    client: record.client,
    serverName: peer.serverName,
    route: told(route),
    layers: told(peer.layers.join(",")),
    waitMs: whole(record.waited),
    retries: record.retried || undefined,
    requestId: told(record.requestId),
    side: failure?.side,
    cause: failure && causeChain(failure),
    id,
    parent,
  };
}
