/** Thousands of connections of every kind through one port: every byte compared, none misrouted. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { atOnce } from "../support/at_once.ts";
import { Folder } from "../support/child.ts";
import type { JournalRecord } from "../support/gate.ts";
import { exchange, exchangeTls, KINDS, listenTls } from "../support/mixed_load.ts";
import { MixedWorld } from "../support/mixed_world.ts";
import { Program } from "../support/program.ts";
import { seeded } from "../support/random.ts";
import { certificate } from "../support/servers.ts";

const CONNECTIONS = 4000, TLS_EVERY = 10, AT_ONCE = 48;

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
  await using world = await MixedWorld.start();
  await using one = await listenTls(await certificate(folder, "one.test"));
  await using two = await listenTls(await certificate(folder, "two.test"));
  await using program = await Program.start(`
${world.rules({ "one.test": one.port, "two.test": two.port })}
engine: { threads: ${threads} }
admin: { address: "127.0.0.1:0" }
`);
  const random = seeded(threads), ports = { gate: program.port("edge"), asked: world.servers.asked.port };
  await atOnce(AT_ONCE, times, async (i) => {
    if (i % TLS_EVERY > 0) return await exchange(KINDS[i % KINDS.length], ports, random);
    const name = random() < 0.5 ? "one.test" : "two.test";
    equal(await exchangeTls(ports.gate, name, 1 + Math.floor(random() * 40_000)), name);
  });
  const served = [...Object.values(world.servers), one, two].map(({ sockets }) => sockets.length);
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
