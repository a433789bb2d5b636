/** What holds on an engine, and whom another snapshot cuts. */
import type { Connection } from "../../gate/connection.ts";
import { OwnDials } from "../../gate/engine/own_dials.ts";
import { UpstreamPool } from "../../gate/engine/upstream_pool.ts";
import { Health } from "../../gate/health.ts";
import { makeLedger, makeSharedMemory } from "../../gate/memory.ts";
import { LiveNames } from "../../gate/mesh/live_names.ts";
import { LiveRoutes } from "../../gate/mesh/live_routes.ts";
import { Questions } from "../../gate/questions.ts";
import { Ruling } from "../../gate/ruling.ts";
import { nextTicketKeys } from "../../gate/ticket_keys.ts";
import { TlsContexts } from "../../gate/tls_contexts.ts";
import { UpstreamTls } from "../../gate/upstream_tls.ts";
import { askHealth, protocols, proxyHeader } from "../../protocols/mod.ts";
import { equal } from "../support/assert.ts";
import { onLoop, pause } from "../support/on_loop.ts";
import { snapshotOf } from "../support/rules.ts";

const PEER = { address: "203.0.113.9", port: 4711, layers: [] };
/** Longer than the engine works at one thing, ms: judging a few of them takes several turns. */
const LONG = 1;

/** Silent connections that take a while to be judged, and whom of them an abort reached. */
function silentOnes(count: number) {
  const cut = new Set<number>();
  const connections = Array.from({ length: count }, (_, id) => ({
    listener: "edge",
    route: "",
    over: false,
    entrance: {},
    get peer() {
      for (const until = performance.now() + LONG; performance.now() < until;);
      return PEER;
    },
    abort: () => void cut.add(id),
  }));
  return { cut, connections: connections as unknown as Connection[] };
}

function rulingOf(connections: readonly Connection[]): Ruling {
  const memory = makeSharedMemory(1);
  return new Ruling({
    askForFiles: () => {},
    protocols,
    proxyHeader,
    askHealth,
    roster: { connections, configure: () => {} },
    questions: new Questions(() => {}),
    health: new Health(memory.health, makeLedger().health),
    ownDials: new OwnDials(memory.ownDials, 0),
    endpointChanged: () => {},
    checks: false,
    tlsContexts: new TlsContexts(nextTicketKeys()),
    pool: new UpstreamPool(),
    upstreamTls: new UpstreamTls(protocols),
    mesh: { judgeAgain: () => {}, reach: () => Promise.reject() },
    live: new LiveRoutes(new LiveNames()),
  }, allowing());
}

const allowing = () => snapshotOf({});
const denying = () => snapshotOf({ policy: [{ verdict: "deny", sources: ["203.0.113.0/24"] }] });

Deno.test("a snapshot that takes rights away cuts everybody who lost one, however many turns that takes", () =>
  onLoop(async () => {
    const { cut, connections } = silentOnes(50);
    rulingOf(connections).replace(denying());
    while (cut.size < connections.length) await pause(1);
  }));

Deno.test("who has a right again is cut no more, though the snapshot that took it away still looks around", () =>
  onLoop(async () => {
    const { cut, connections } = silentOnes(50);
    const ruling = rulingOf(connections);
    ruling.replace(denying());
    const before = cut.size;
    ruling.replace(allowing());
    for (let turn = 0; turn < 100; turn++) await pause(1);
    equal([cut.size, before < connections.length], [before, true]);
  }));
