/** What the admin page answers, looked at before it is believed: the gate may be of another version, or no gate. */
import type { LiveConnection, NodeStatus, ReloadOutcome, Status, Trial } from "../operations.ts";

export interface Connections {
  readonly total: number;
  readonly connections: readonly LiveConnection[];
}

export type TrialOutcome = ReloadOutcome & { readonly trial?: Trial };

type Fields = Readonly<Record<string, "string" | "number" | "boolean" | "object" | "list">>;

export function isStatus(value: unknown): value is Status {
  return has(value, {
    version: "string",
    startedAt: "string",
    draining: "boolean",
    configuration: "object",
    listeners: "list",
    engines: "list",
    endpoints: "list",
    requests: "list",
    certificates: "list",
    connections: "number",
    limitHits: "object",
    authFailures: "number",
    ended: "list",
  }) && has(value.configuration, { files: "list" }) &&
    each(value.listeners, {
      listener: "string",
      address: "string",
      protocols: "list",
      active: "number",
      ended: "number",
      up: "number",
      down: "number",
    }) && each(value.engines, { engine: "number", restarts: "number", alive: "boolean" }) &&
    each(value.endpoints, { route: "string", endpoint: "string", active: "number", usable: "boolean" }) &&
    each(value.requests, {
      route: "string",
      active: "number",
      statuses: "object",
      up: "number",
      down: "number",
    }) &&
    each(value.certificates, { source: "string", names: "list", file: "string" }) &&
    each(value.ended, { listener: "string", protocol: "string", outcome: "string", count: "number" });
}

export interface Nodes {
  readonly total: number;
  readonly nodes: readonly NodeStatus[];
}

export function isNodes(value: unknown): value is Nodes {
  return has(value, { total: "number", nodes: "list" }) && each(value.nodes, {
    id: "number",
    names: "list",
    identity: "string",
    peer: "string",
    since: "number",
    streams: "number",
    served: "number",
    up: "number",
    down: "number",
  });
}

export function isConnections(value: unknown): value is Connections {
  return has(value, { total: "number", connections: "list" }) &&
    each(value.connections, {
      id: "number",
      listener: "string",
      peer: "string",
      protocol: "string",
      up: "number",
      down: "number",
      began: "number",
      stage: "string",
    });
}

export function isTrial(value: unknown): value is Trial {
  return has(value, { id: "string", file: "string", text: "string", left: "number" }) &&
    String(value.file).startsWith("/"); // of another directory than ours, a relative one would be another file
}

export function isOutcome(value: unknown): value is TrialOutcome {
  return has(value, { result: "string", changes: "list", warnings: "list", problems: "list" }) &&
    (value.trial === undefined || isTrial(value.trial));
}

function has(value: unknown, fields: Fields): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const found = value as Record<string, unknown>;
  return Object.entries(fields).every(([name, kind]) =>
    kind === "list" ? Array.isArray(found[name]) : typeof found[name] === kind && found[name] !== null
  );
}

function each(list: unknown, fields: Fields): boolean {
  return Array.isArray(list) && list.every((item) => has(item, fields));
}
