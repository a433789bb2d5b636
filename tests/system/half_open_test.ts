/** Clients that are gone without a word, and clients that never were: what half-open connections cost. */
import { equal, ok } from "../support/assert.ts";
import { fallen, grownBy, inTime, meanwhile } from "../support/attack.ts";
import { Folder, succeed } from "../support/child.ts";
import { Crowd } from "../support/crowd.ts";
import { listen, type TestServer } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { Program, ugate } from "../support/program.ts";
import { canWire, CLIENT, GATE, TwoMachines } from "../support/two_machines.ts";

const VANISHING = 300, SYNS = 20_000;
const HELLO = "SSH-2.0-client\r\n";
const wired = await canWire();

interface World {
  readonly machines: TwoMachines;
  readonly program: Program;
  readonly server: TestServer;
  /** What the gate counts, by its admin page: a file, which both machines see. */
  readonly connections: () => Promise<number>;
}

/** A gate on one machine, clients on the other; behind the gate a server that echoes, at a path. */
async function withWorld(act: (world: World) => Promise<void>): Promise<void> {
  await using folder = await Folder.make();
  await using server = await listen((socket) => socket.pipe(socket), `${folder.path}/echo`);
  await using machines = await TwoMachines.start();
  const admin = `unix:${folder.path}/admin`;
  await using program = await Program.start(
    `
listeners:
  edge: { address: "${GATE}:0", protocols: [ssh] }
  forward: { address: "${GATE}:0", to: "unix:${folder.path}/echo" }
routes: [ { protocol: ssh, to: "unix:${folder.path}/echo" } ]
limits: { sniffTimeout: 2s, idleTimeout: 4s }
log: { level: warn }
admin: { address: "${admin}" }
`,
    { before: TwoMachines.on(machines.gate) },
  );
  const connections = async () => {
    const { code, stdout, stderr } = await ugate(["status", "--json", "--admin", admin]);
    equal(code, 0, stderr);
    return JSON.parse(stdout).connections;
  };
  await act({ machines, program, server, connections });
  equal(await program.stop(), 0);
}

Deno.test({
  name:
    `${VANISHING} clients vanish without a word, before and after they were told apart: their time ends them`,
  ignore: !wired,
  fn: () =>
    withWorld(async ({ machines, program, server, connections }) => {
      const { pid } = program.child, edge = program.port("edge"), forward = program.port("forward");
      await using crowd = new Crowd(TwoMachines.on(machines.client));
      const client = { host: GATE, from: CLIENT };
      equal(await crowd.ask({ ...client, port: edge, say: HELLO }, HELLO.length), HELLO);
      equal(await fallen(connections, 0), 0);
      const before = processState(pid), each = { ...client, count: VANISHING / 3 };
      equal(await crowd.open({ ...each, port: forward, say: "x" }), VANISHING / 3);
      equal(await crowd.open({ ...each, port: edge, say: HELLO }), VANISHING / 3);
      equal(await crowd.open({ ...each, port: edge }), VANISHING / 3);
      const served = 1 + 2 * VANISHING / 3;
      equal(await fallen(() => Promise.resolve(served - server.sockets.length), 0), 0);
      await machines.cut();
      for (const socket of server.sockets) socket.write("for nobody"); // the kernel sends it again and again
      equal(await fallen(connections, 0, 20_000), 0);
      const { sockets } = await settled(pid, (now) => now.sockets <= before.sockets, 5000);
      ok(sockets <= before.sockets, `${sockets} sockets are open, before ${before.sockets}`);
      grownBy(pid, before, 64);
      await machines.mend();
      equal(
        await inTime("a new client", crowd.ask({ ...client, port: edge, say: HELLO }, HELLO.length)),
        HELLO,
      );
    }),
});

Deno.test({
  name: `${SYNS} SYNs of strangers who never answer: a client is served meanwhile and afterwards`,
  ignore: !wired,
  fn: () =>
    withWorld(async ({ machines, program, connections }) => {
      const port = program.port("edge"), on = TwoMachines.on(machines.client);
      await using crowd = new Crowd(on);
      const ask = () => crowd.ask({ host: GATE, from: CLIENT, port, say: HELLO }, HELLO.length);
      equal(await ask(), HELLO);
      const before = processState(program.child.pid);
      const flood = new URL("../support/syn_flood.ts", import.meta.url).pathname;
      const args = [...on.slice(1), Deno.execPath(), "run", "-A", flood, GATE, String(port), String(SYNS)];
      const flooding = succeed(on[0], args);
      await meanwhile(flooding, async () => equal(await inTime("a client in the flood", ask()), HELLO));
      const { stdout } = await flooding;
      equal(Number(stdout), SYNS);
      const { stdout: waiting } = await succeed(
        "nsenter",
        [...TwoMachines.on(machines.gate).slice(1), "ss", "-Htn", "state", "syn-recv"],
      );
      ok(waiting !== "", "no SYN arrived");
      equal(await inTime("a client behind the flood", ask()), HELLO);
      equal(await fallen(connections, 0), 0);
      grownBy(program.child.pid, before, 32);
    }),
});
