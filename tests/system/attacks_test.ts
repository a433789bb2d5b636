/** Who takes and gives nothing: silence by the thousand, descriptors that run out, downloads that nobody reads. */
import type net from "node:net";
import { openFilesLimit } from "../../gate/engine/sys.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import {
  asBefore,
  ATTACK_SECONDS,
  echoed,
  fallen,
  grownBy,
  inTime,
  meanwhile,
  stateBefore,
  statusOf,
} from "../support/attack.ts";
import { Crowd } from "../support/crowd.ts";
import { connect, listen, listenEcho, socks } from "../support/net.ts";
import { processState } from "../support/process_state.ts";
import { Program } from "../support/program.ts";

const SILENT = 20_000;
/** What the gate itself, its listeners and its upstreams need. */
const SPARE = 1000;
/** What a direction of a relay holds at most, and what the server's own runtime does. */
const PIPE = 2 << 20;
const HELLO = "SSH-2.0-friend\r\n";

Deno.test(`${SILENT} silent connections of one source are bounded, and another source is served meanwhile`, async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh, socks] } }
routes: [ { protocol: ssh, to: "127.0.0.1:${echo.port}" } ]
log: { level: warn }
admin: { address: "127.0.0.1:0" }
`);
  const port = program.port("edge"), before = await stateBefore(program);
  await using one = new Crowd();
  await using two = new Crowd(); // a process may not open so many alone
  const attack = Promise.all([one, two].map((crowd) => crowd.open({ port, count: SILENT / 2 })));
  const served = await meanwhile(attack, () => echoed(port, HELLO));
  equal(await attack, [SILENT / 2, SILENT / 2]);
  for (const crowd of [one, two]) {
    equal(await fallen(() => crowd.left(), 0), 0);
  }
  await asBefore(program, before, 128);
  const { ended, limitHits } = await statusOf(program);
  const outcomes = ended.map(({ protocol, outcome, count }) =>
    [`${protocol} ${outcome}`.trim(), count] as const
  );
  const of = Object.fromEntries(outcomes);
  equal(Object.keys(of).sort(), ["ssh ok", "unknown timeout"]);
  equal([of["ssh ok"], limitHits.perSource + of["unknown timeout"]], [served, SILENT]);
  const told = program.messages.filter((message) => message.startsWith("limit perSource"));
  equal(told.filter((message) => !message.includes(" since ")).length, 1); // by now another tells that it is over
});

Deno.test("as many silent connections as there are slots give way to protocols with reserved ones", async () => {
  const most = Math.min(SILENT, openFilesLimit() - SPARE), beyond = 200, friends = 20;
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh, socks] } }
routes: [ { protocol: ssh, to: "127.0.0.1:${echo.port}" } ]
limits: { connections: ${most}, perSource: ${most}, sniffTimeout: 12s, reserve: { ssh: 50 } }
log: { level: warn }
admin: { address: "127.0.0.1:0" }
`);
  const port = program.port("edge"), before = await stateBefore(program);
  await using one = new Crowd();
  await using two = new Crowd();
  const share = (most + beyond) / 2;
  const filled = await Promise.all(
    [one, two].map((crowd, i) => crowd.open({ port, from: `127.0.1.${i}`, count: share })),
  );
  equal(filled, [share, share]);
  const left = async () => await one.left() + await two.left();
  await program.message((message) => message.startsWith("limit reserve was hit"));
  equal(await fallen(left, most), most);
  equal((await statusOf(program)).connections, most);
  grownBy(program.child.pid, before, 256);

  await using held = new AsyncDisposableStack();
  for (let i = 0; i < friends; i++) {
    const client = held.use(await connect(port, "127.0.0.1", "127.0.0.2"));
    await client.write(HELLO);
    equal(new TextDecoder().decode(await inTime("a friend", client.read(HELLO.length))), HELLO);
  }
  equal(await left(), most - friends);
  await using other = await connect(port, "127.0.0.1", "127.0.0.2");
  await rejects(inTime("nobody's slot", socks(other, "127.0.0.1", echo.port)), /ended|ECONNRESET/);
  await held.disposeAsync();
  for (const crowd of [one, two]) {
    equal(await fallen(() => crowd.left(), 0, 20_000), 0);
  }
  await asBefore(program, before, 192);
  const { limitHits } = await statusOf(program);
  equal(limitHits.reserve, beyond + friends + 1);
});

Deno.test("descriptors run out: nothing spins, who is there goes on, and all is well afterwards", async () => {
  const descriptors = 300;
  await using echo = await listenEcho();
  const configuration = (more: string) => `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [ssh], sniffTimeout: 5m }
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  ${more}: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
admin: { address: "127.0.0.1:0" }
`;
  await using program = await Program.start(
    configuration("round0"),
    { before: ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh"] },
  );
  const { pid } = program.child, forward = program.port("forward");
  const before = await stateBefore(program);
  await using live = await connect(forward);
  await using crowd = new Crowd();
  const pingPong = async () => {
    await live.write("ping");
    equal(new TextDecoder().decode(await inTime("a live connection", live.read(4))), "ping");
  };
  equal(await crowd.open({ port: program.port("edge"), count: 2000 }), 2000);
  await program.message((message) => message.startsWith("limit descriptors was hit"));
  for (let i = 1; i <= 3; i++) { // a reload needs descriptors too, for a thread of its own
    await program.configure(configuration(`round${i}`));
    program.child.signal("SIGHUP");
    await program.message((message) => message.includes(`round${i}: new`));
  }
  const { cpu } = processState(pid), began = performance.now();
  let refused = 0;
  while (performance.now() - began < ATTACK_SECONDS * 1000) {
    await pingPong();
    await using unlucky = await connect(forward);
    // A thread that ended left descriptors: then it is served, and nobody says anything.
    const served = new Promise<"served">((waited) => setTimeout(() => waited("served"), 500));
    if (await Promise.race([unlucky.text().catch(() => ""), served]) !== "served") refused++;
    const health = `http://${program.addresses("admin")[0]}/healthz`;
    equal(await (await inTime("health", fetch(health))).text(), "ok\n");
  }
  const used = (processState(pid).cpu - cpu) / ((performance.now() - began) / 1000);
  ok(used < 0.5, `${used.toFixed(2)} of a core were used while there was nothing to do`);
  ok(refused > 0);
  await crowd.close();
  await meanwhile(new Promise((done) => setTimeout(done, 500)), pingPong);
  await echoed(forward, "a new one");
  live.end();
  await live.readAll();
  await asBefore(program, before, 64);
});

Deno.test("downloads that nobody reads wait in the kernel, and end when they are idle", async () => {
  const clients = 64;
  const pouring: net.Socket[] = [];
  await using pour = await listen((socket) => {
    pouring.push(socket);
    const chunk = new Uint8Array(1 << 16);
    const more = () => {
      while (socket.writable && socket.write(chunk)); // until nobody takes more
    };
    socket.on("drain", more);
    socket.resume();
    more();
  });
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners:
  proxy: { address: "127.0.0.1:0", protocols: [connect] }
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${pour.port}" }
  friends: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
limits: { idleTimeout: 3s }
log: { level: warn }
admin: { address: "127.0.0.1:0" }
`);
  const before = await stateBefore(program);
  await using crowd = new Crowd();
  const say = `CONNECT 127.0.0.1:${pour.port} HTTP/1.1\r\nHost: x\r\n\r\n`;
  equal(await crowd.open({ port: program.port("forward"), count: clients / 2 }), clients / 2);
  equal(await crowd.open({ port: program.port("proxy"), count: clients / 2, say }), clients / 2);
  const unread = async () => (await statusOf(program)).ended.filter(({ listener }) => listener !== "friends");
  const reading = async () => (await unread()).reduce((left, { count }) => left - count, clients);
  const idle = fallen(reading, 0, 20_000);
  await meanwhile(idle, () => echoed(program.port("friends"), "hello"));
  equal(pouring.length, clients);
  const most = Math.max(...pouring.map(({ bytesWritten }) => bytesWritten));
  ok(most < 2 * socketBuffers() + PIPE, `${most} bytes were taken for a client that reads nothing`);
  equal(
    (await unread()).map(({ listener, outcome, side, count }) => `${listener} ${outcome} ${side} ${count}`)
      .sort(),
    [`forward timeout gate ${clients / 2}`, `proxy timeout gate ${clients / 2}`],
  );
  await asBefore(program, before, 64);
});

/** The most that the kernel keeps for one connection between its two ends, bytes. */
function socketBuffers(): number {
  const most = (name: string) =>
    Number(Deno.readTextFileSync(`/proc/sys/net/ipv4/${name}`).trim().split(/\s+/)[2]);
  return most("tcp_rmem") + most("tcp_wmem");
}
