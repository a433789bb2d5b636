/** The lines of connections. Each has one, at its end, so their JSON is put together from octets. */
import type { Draft, Peer } from "./contracts.ts";
import { causeChain, type GateError } from "./errors.ts";
import { LineBeginning, putEnd, putFailure, putField, putNumber } from "./json_line.ts";
import type { LineBuffer } from "./line_buffer.ts";
import type { Fields, Level } from "./log.ts";
import { layersText, type LogFormat, peerText, recordLine, told, whole } from "./log_line.ts";
import type { Stages } from "./stages.ts";

/** A connection that is over. Times in ms. */
export interface JournalEntry {
  readonly id: number;
  readonly parent?: number;
  readonly listener: string;
  readonly peer: Peer;
  readonly record: Readonly<Draft>;
  /** The place of the route it took, or `fallback`. */
  readonly route?: string;
  /** Since the epoch. */
  readonly began: number;
  readonly duration: number;
  readonly stages: Stages;
  /** Bytes of the record that `moved` was told of. */
  readonly counted: { readonly up: number; readonly down: number };
  /** Requests that were handled one by one. */
  readonly requests?: number;
  /** Other connections were unwrapped from it. */
  readonly isLayer?: boolean;
  readonly failure: GateError | undefined;
}

const BEGINNING = new LineBeginning("connection");

/** Adds the line. */
export function logConnection(
  lines: LineBuffer,
  format: LogFormat,
  level: Level,
  entry: JournalEntry,
): void {
  if (format === "json") putJson(lines, level, entry);
  else lines.text(`${recordLine(format, level, entry.began + entry.duration, fieldsOf(entry))}\n`);
}

function putJson(lines: LineBuffer, level: Level, entry: JournalEntry): void {
  const { peer, record, stages, failure } = entry;
  BEGINNING.put(lines, level, failure, entry.began + entry.duration, entry.duration);
  putField(lines, "listener", entry.listener);
  putField(lines, "protocol", record.protocol);
  putField(lines, "peer", peerText(peer));
  putField(lines, "target", record.target);
  putField(lines, "endpoint", record.endpoint);
  putNumber(lines, "up", record.up);
  putNumber(lines, "down", record.down);
  putField(lines, "user", record.user);
  putField(lines, "identity", peer.identity?.name);
  putField(lines, "serverName", peer.serverName);
  putField(lines, "tls", peer.tlsVersion);
  if (peer.tlsVersion) putField(lines, "alpn", peer.alpn);
  putField(lines, "clientCertificate", peer.clientCertificate?.fingerprint);
  putField(lines, "route", entry.route);
  putField(lines, "layers", layersText(peer));
  putNumber(lines, "requests", entry.requests || undefined);
  putNumber(lines, "sniffMs", whole(stages.sniff));
  putNumber(lines, "handshakeMs", whole(stages.handshake));
  putNumber(lines, "resolveMs", whole(stages.resolve));
  putNumber(lines, "dialMs", whole(stages.dial));
  if (failure) putFailure(lines, failure);
  putEnd(lines, entry);
}

/** In the order in which both forms have them. */
function fieldsOf(
  { id, parent, listener, peer, record, route, duration, stages, requests, failure }: JournalEntry,
): Fields {
  return {
    outcome: failure?.failure ?? "ok",
    ms: Math.round(duration),
    listener,
    protocol: told(record.protocol),
    peer: peerText(peer),
    target: told(record.target),
    endpoint: told(record.endpoint),
    up: record.up,
    down: record.down,
    user: told(record.user),
    identity: peer.identity?.name,
    serverName: peer.serverName,
    tls: peer.tlsVersion,
    alpn: peer.tlsVersion && peer.alpn,
    clientCertificate: peer.clientCertificate?.fingerprint,
    route,
    layers: told(layersText(peer)),
    requests: requests || undefined,
    sniffMs: whole(stages.sniff),
    handshakeMs: whole(stages.handshake),
    resolveMs: whole(stages.resolve),
    dialMs: whole(stages.dial),
    side: failure?.side,
    cause: failure && causeChain(failure),
    id,
    parent,
  };
}
