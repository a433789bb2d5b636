/**
 * The lines of requests. There may be tens of thousands in a second, so their JSON is put together from octets, of which
 * those that often stay the same are made once; the fields are those of the text form.
 */
import type { Peer } from "./contracts.ts";
import type { RequestRecord } from "./requests.ts";
import { causeChain } from "./errors.ts";
import type { Fields, Level } from "./log.ts";
import { LineBeginning, putEnd, putFailure, putField } from "./json_line.ts";
import { LineBuffer } from "./line_buffer.ts";
import { jsonText, layersText, type LogFormat, peerText, recordLine, told, whole } from "./log_line.ts";

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
  /** Of its connection and its peer, where it has had others. */
  readonly words?: ConnectionWords;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const octets = (text: string): Uint8Array => text === "" ? NOTHING : encoder.encode(text);

type Where = Pick<RequestEntry, "listener" | "protocol" | "peer">;

/** What the lines of a connection have in common, as JSON: made for the second one, as many connections have but one. */
export class ConnectionWords {
  readonly where: Uint8Array;
  /** Whose they are: who logs in becomes another one. */
  readonly peer: Peer;

  constructor(where: Where) {
    const lines = new LineBuffer();
    putWhere(lines, where);
    this.where = lines.take();
    this.peer = where.peer;
  }
}

function putWhere(lines: LineBuffer, { listener, protocol, peer }: Where): void {
  putField(lines, "listener", listener);
  putField(lines, "protocol", protocol);
  putField(lines, "peer", peerText(peer));
}

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

/** An empty text is nothing to tell. */
const field = (name: string, text: string): string => text === "" ? "" : `,"${name}":${jsonText(text)}`;

const ASKED = new Recurring((method: string, host: string) => field("method", method) + field("host", host));
const PATH = new Recurring((path: string) => field("path", path));
const ANSWERED = new Recurring((status: number, endpoint: string) =>
  `${status === 0 ? "" : `,"status":${status}`}${field("endpoint", endpoint)},"up":`
);
const ROUTE = new Recurring((route: string) => field("route", route));
const DOWN = octets(',"down":'), WAITED = octets(',"waitMs":'), RETRIES = octets(',"retries":');
const REQUEST_ID = octets(',"requestId":');

const BEGINNING = new LineBeginning("request");

/** Adds the line. */
export function logRequest(lines: LineBuffer, format: LogFormat, level: Level, entry: RequestEntry): void {
  if (format === "json") putJson(lines, level, entry);
  else lines.text(`${recordLine(format, level, entry.ended, requestFields(entry), "request")}\n`);
}

function putJson(lines: LineBuffer, level: Level, entry: RequestEntry): void {
  const { record, words, peer } = entry, { failure, waited } = record;
  BEGINNING.put(lines, level, failure, entry.ended, entry.duration);
  if (words) lines.put(words.where);
  else putWhere(lines, entry);
  lines.put(ASKED.of(record.method, record.host)).put(PATH.of(record.path));
  lines.put(ANSWERED.of(record.status, entry.endpoint)).number(record.up).put(DOWN).number(record.down);
  putField(lines, "user", record.user ?? peer.user);
  putField(lines, "client", record.client);
  putField(lines, "serverName", peer.serverName);
  lines.put(ROUTE.of(entry.route));
  putField(lines, "layers", layersText(peer));
  if (waited !== undefined) lines.put(WAITED).number(Math.round(waited));
  if (record.retried !== 0) lines.put(RETRIES).number(record.retried);
  if (record.requestId !== "") lines.put(REQUEST_ID).json(record.requestId);
  if (failure) putFailure(lines, failure);
  putEnd(lines, entry);
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
    layers: told(layersText(peer)),
    waitMs: whole(record.waited),
    retries: record.retried || undefined,
    requestId: told(record.requestId),
    side: failure?.side,
    cause: failure && causeChain(failure),
    id,
    parent,
  };
}
