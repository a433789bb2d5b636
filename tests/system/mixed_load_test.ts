/** Thousands of connections of every kind through one port: every byte compared, none misrouted. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { exchange, exchangeTls, KINDS, listenTagged, listenTls } from "../support/mixed_load.ts";
import type { JournalRecord } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { certificate } from "../support/servers.ts";

const CONNECTIONS = 4000, TLS_EVERY = 10, AT_ONCE = 48;

/** Repeatable numbers from 0 to 1. */
function mulberry(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Does `act` for 0 to `times`, so many at once; what each failed with. */
async function bounded(times: number, act: (i: number) => Promise<void>): Promise<string[]> {
  const failures: string[] = [];
  let next = 0;
  const worker = async () => {
    while (next < times && failures.length < 20) {
      const i = next++;
      await act(i).catch((thrown) => failures.push(`${i}: ${thrown}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return failures;
}

for (const threads of [1, 2]) {
  const times = threads === 1 ? CONNECTIONS : CONNECTIONS / 4;
  Deno.test({
    name: `${times} mixed connections through one port and ${threads} engine threads, none misrouted`,
    ignore: !need("openssl"),
    fn: () => mixed(threads, times),
  });
}

async function mixed(threads: number, times: number): Promise<void> {
  await using folder = await Folder.make();
  await using ssh = await listenTagged("ssh");
  await using mqtt = await listenTagged("mqtt");
  await using http = await listenTagged("http");
  await using a = await listenTagged("a");
  await using b = await listenTagged("b");
  await using fallback = await listenTagged("fallback");
  await using asked = await listenTagged("asked");
  await using one = await listenTls(await certificate(folder, "one.test"));
  await using two = await listenTls(await certificate(folder, "two.test"));
  await using program = await Program.start(`
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls, ssh, mqtt, http, connect, socks]
    fallback: "127.0.0.1:${fallback.port}"
routes:
  - { host: one.test, to: "127.0.0.1:${one.port}" }
  - { host: two.test, to: "127.0.0.1:${two.port}" }
  - { host: a.test, to: "127.0.0.1:${a.port}" }
  - { host: "*.b.test", to: "127.0.0.1:${b.port}" }
  - { protocol: ssh, to: "127.0.0.1:${ssh.port}" }
  - { protocol: mqtt, to: "127.0.0.1:${mqtt.port}" }
  - { protocol: http, to: "127.0.0.1:${http.port}" }
engine: { threads: ${threads} }
admin: { address: "127.0.0.1:0" }
`);
  const random = mulberry(threads), ports = { gate: program.port("edge"), asked: asked.port };
  const failures = await bounded(times, async (i) => {
    if (i % TLS_EVERY > 0) return await exchange(KINDS[i % KINDS.length], ports, random);
    const name = random() < 0.5 ? "one.test" : "two.test";
    equal(await exchangeTls(ports.gate, name, 1 + Math.floor(random() * 40_000)), name);
  });
  equal(failures, []);
  const served = [ssh, mqtt, http, a, b, fallback, asked, one, two].map(({ sockets }) => sockets.length);
  equal(served.reduce((sum, count) => sum + count, 0), times);
  ok(served.every((count) => count > times / 60), served.join(" "));
  await program.child.until(() => program.records.length === times ? true : undefined);
  // A TLS client that leaves before it has read the close_notify resets.
  const whole = ({ outcome, serverName }: JournalRecord) =>
    outcome === "ok" || outcome === "reset" && /^(one|two)\.test$/.test(serverName ?? "");
  equal(program.records.filter((record) => !whole(record)), []);
  const status = await (await program.admin("/status")).json();
  equal(status.connections, 0);
  equal(await program.stop(), 0);
}
