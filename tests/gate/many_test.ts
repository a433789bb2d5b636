/** After tens of thousands of connections of every kind the program holds what it held before. */
import { equal, ok } from "../support/assert.ts";
import { atOnce } from "../support/at_once.ts";
import { exchange, KINDS } from "../support/mixed_load.ts";
import { MixedWorld } from "../support/mixed_world.ts";
import { type Client, connect, socks } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { Program } from "../support/program.ts";

const MANY = 20_000, AT_ONCE = 40;
/** A heap takes its room in steps, so one round may grow; a leak grows in each of them. MiB a round. */
const ROUNDS = 3, MOST_GROWN = 8;

const ended = (client: Client): Promise<unknown> => client.readAll().catch(() => {});

/** Ways to fail, beside those that are served; each ends by itself. */
const FAILING: readonly ((gate: number, asked: number) => Promise<void>)[] = [
  async (gate, asked) => {
    await using client = await connect(gate);
    await socks(client, "127.0.0.1", asked);
    await client.write("half of it");
    client.reset();
  },
  async (gate) => {
    await using client = await connect(gate);
    const told = await socks(client, "127.0.0.1", 1).then(() => "served", (error) => error.message);
    equal(told, "socks reply 5");
    await ended(client);
  },
  async (gate) => {
    await using client = await connect(gate);
    client.reset();
  },
  async (gate) => {
    await using client = await connect(gate);
    await client.write(Uint8Array.of(5, 1, 0, 5, 9));
    client.end();
    await ended(client);
  },
  async (gate, asked) => { // through a second gate, by its SOCKS
    await using client = await connect(gate);
    await socks(client, "far.test", asked);
    await client.write("x");
    equal(new TextDecoder().decode(await client.read(8)), "<asked>x");
    client.end();
    await ended(client);
  },
];

Deno.test(`after ${MANY} connections of every kind descriptors and memory are back where they were`, async () => {
  await using world = await MixedWorld.start();
  await using far = await Program.start(`
listeners: { far: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { far.test: { addresses: ["127.0.0.1"] } }
discovery: [file]
log: { level: error }
admin: { address: "off" }`);
  await using gate = await Program.start(`
${world.rules()}
hosts: { far.test: { via: "127.0.0.1:${far.port("far")}", layers: [socks] } }
log: { level: error }
admin: { address: "off" }`);
  const ports = { gate: gate.port("edge"), asked: world.servers.asked.port };
  const one = async (i: number) => {
    const act = FAILING[i % 20];
    if (act) await act(ports.gate, ports.asked);
    else await exchange(KINDS[i % KINDS.length], ports, Math.random);
    // The servers remember every connection: here there are too many.
    if (i % 500 === 0) { for (const { sockets } of Object.values(world.servers)) removeClosed(sockets); }
  };
  const idle = [gate, far].map(({ child }) => processState(child.pid).sockets);
  const states = () =>
    Promise.all(
      [gate, far].map(({ child }, i) => settled(child.pid, ({ sockets }) => sockets <= idle[i], 3000)),
    );
  await atOnce(AT_ONCE, MANY, one); // the garbage collector takes its room once
  let before = await states();
  ok(before.every(({ sockets }, i) => sockets <= idle[i])); // a thread of the start may have gone since
  const grown: number[] = [];
  for (let round = 0; round < ROUNDS && !grown.some((each) => each < MOST_GROWN); round++) {
    await atOnce(AT_ONCE, MANY, one);
    const after = await states();
    ok(after.every(({ sockets }, i) => sockets <= idle[i]));
    for (const [i, { pipes }] of after.entries()) {
      ok(pipes <= before[i].pipes + 2 * 32, `${pipes} pipes are open, before ${before[i].pipes}`);
    }
    grown.push(Math.max(...after.map(({ memory }, i) => (memory - before[i].memory) / (1 << 20))));
    before = after;
  }
  ok(grown.at(-1)! < MOST_GROWN, `memory grew by ${grown.map((each) => each.toFixed(1)).join(", ")} MiB`);
});

function removeClosed(sockets: { readonly closed: boolean }[]): void {
  for (let i = sockets.length - 1; i >= 0; i--) if (sockets[i].closed) sockets.splice(i, 1);
}
