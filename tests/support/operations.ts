/** A gate that is not there: Operations with plain answers, of which a test gives its own. */
import type { LiveConnection, NodeStatus, Operations, ReloadOutcome, Status } from "../../gate/operations.ts";

export const APPLIED: ReloadOutcome = {
  result: "applied",
  changes: ["listener edge: on :8443 instead of :443"],
  warnings: [],
  problems: [],
};

export const STATUS: Status = {
  version: "0.1.0",
  startedAt: "2026-01-02T03:04:05.000Z",
  draining: false,
  configuration: { files: ["/etc/ugate/ugate.yaml"] },
  listeners: [{
    listener: "edge",
    address: "0.0.0.0:443, [::]:443",
    protocols: ["tls", "ssh"],
    active: 2,
    ended: 3,
    up: 1000,
    down: 2000,
  }],
  engines: [{ engine: 0, restarts: 0, alive: true }],
  certificates: [],
  endpoints: [{ route: "routes[0]", endpoint: "10.0.0.7:443", active: 2, usable: true }],
  requests: [],
  connections: 2,
  limitHits: {},
  authFailures: 0,
  ended: [
    { listener: "edge", protocol: "tls", outcome: "ok", count: 2 },
    { listener: "edge", protocol: "tls", outcome: "no-route", side: "client", count: 1 },
  ],
};

export const liveConnection = (id: number, given: Partial<LiveConnection> = {}): LiveConnection => ({
  id,
  listener: "edge",
  peer: `192.0.2.${id % 250}:${1024 + id % 60000}`,
  protocol: "tls",
  serverName: "shop.example",
  target: "shop.example:443",
  endpoint: "10.0.0.7:443",
  route: "routes[0]",
  up: 1500 * id,
  down: 40_000 * id,
  began: Date.now(),
  stage: "relaying",
  ...given,
});

export const nodeStatus = (given: Partial<NodeStatus> = {}): NodeStatus => ({
  id: 7,
  names: ["pi.mesh.example:22", "pi.mesh.example:443"],
  identity: "key:abcdefgh",
  proof: "ssh key",
  peer: "192.0.2.7:4711",
  listener: "edge",
  protocol: "ssh",
  since: Date.now(),
  roundTrip: 12.3,
  streams: 1,
  served: 17,
  up: 1500,
  down: 40_000,
  ...given,
});

export function fakeOperations(given: Partial<Operations> = {}): Operations {
  return {
    status: () => Promise.resolve(STATUS),
    metrics: () => Promise.resolve("# HELP up Whether.\n# TYPE up gauge\nup 1\n"),
    connections: () => Promise.resolve({ total: 1, connections: [liveConnection(1)] }),
    nodes: () => Promise.resolve([nodeStatus()]),
    configuration: () => ({ listeners: {} }),
    healthy: () => true,
    ready: () => true,
    reload: () => Promise.resolve(APPLIED),
    try: () => Promise.resolve(APPLIED),
    trial: undefined,
    confirm: () => Promise.resolve("over"),
    ...given,
  };
}
