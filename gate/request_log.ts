/**
 * The lines of requests. There may be tens of thousands in a second, so their JSON is put together from parts, of which
 * those that stay the same in a connection are made once; the fields are those of the text form.
 */
import type { Peer } from "./contracts.ts";
import type { RequestRecord } from "./requests.ts";
import { causeChain } from "./errors.ts";
import type { Fields, Level } from "./log.ts";
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

/** What the lines of a connection have in common, as JSON. */
export class ConnectionWords {
  readonly where: string;
  readonly user: string;
  readonly serverName: string;
  readonly layers: string;
  readonly end: string;

  constructor(
    { id, parent, listener, protocol, peer }: Pick<
      RequestEntry,
      "id" | "parent" | "listener" | "protocol" | "peer"
    >,
  ) {
    this.where = field("listener", listener) + field("protocol", protocol) + field("peer", peerText(peer));
    this.user = field("user", peer.user);
    this.serverName = field("serverName", peer.serverName);
    this.layers = field("layers", told(peer.layers.join(",")));
    this.end = `,"id":${id}${parent === undefined ? "" : `,"parent":${parent}`}}`;
    this.peer = peer;
  }

  /** Whose they are: who logs in becomes another one. */
  readonly peer: Peer;
}

const field = (name: string, text: string | undefined): string =>
  text === undefined ? "" : `,"${name}":${jsonText(text)}`;

/** A field whose value is often that of the line before. */
class Recurring {
  #text = "";
  #json = "";

  constructor(readonly name: string) {}

  /** Nothing for an empty text. */
  of(text: string): string {
    if (text !== this.#text) {
      this.#text = text;
      this.#json = field(this.name, told(text));
    }
    return this.#json;
  }
}

const METHOD = new Recurring("method"), HOST = new Recurring("host"), PATH = new Recurring("path");
const ENDPOINT = new Recurring("endpoint"), ROUTE = new Recurring("route");

/** Without a newline. */
export const requestLogLine = (format: LogFormat, level: Level, entry: RequestEntry): string =>
  format === "json"
    ? requestJson(level, entry)
    : recordLine(format, level, entry.ended, requestFields(entry), "request");

function requestJson(level: Level, entry: RequestEntry): string {
  const { record, words = new ConnectionWords(entry) } = entry;
  const { failure, status, waited, up, down } = record;
  const who = (record.user === undefined ? words.user : field("user", record.user)) +
    field("client", record.client);
  const failed = failure ? field("side", failure.side) + field("cause", causeChain(failure)) : "";
  return `{"time":"${isoTime(entry.ended)}","level":"${level}","event":"request","outcome":"${
    failure?.failure ?? "ok"
  }","ms":${Math.round(entry.duration)}${words.where}${METHOD.of(record.method)}${HOST.of(record.host)}${
    PATH.of(record.path)
  }${status === 0 ? "" : `,"status":${status}`}${
    ENDPOINT.of(entry.endpoint)
  },"up":${up},"down":${down}${who}${words.serverName}${ROUTE.of(entry.route)}${words.layers}${
    waited === undefined ? "" : `,"waitMs":${Math.round(waited)}`
  }${record.retried === 0 ? "" : `,"retries":${record.retried}`}${
    record.requestId === "" ? "" : `,"requestId":${jsonText(record.requestId)}`
  }${failed}${words.end}`;
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
