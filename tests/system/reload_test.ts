/** The program reads its configuration again while it serves: nobody is lost, and nothing broken ever holds. */
import { equal, ok, rejects } from "../support/assert.ts";
import { type Client, connect, listenEcho, socks } from "../support/net.ts";
import { Program } from "../support/program.ts";

const RELOADS = 50, CLIENTS = 8;
/** No client comes from here: a port that is free here stays free. */
const MOVABLE = "127.0.3.1";

interface Ports {
  readonly echo: number;
  /** Where `moves` and `comes` are, of MOVABLE. */
  readonly moves: number;
  readonly comes: number;
}

const isBroken = (round: number): boolean => round % 5 === 4;
/** Under a name of its own in each of these rounds. */
const hasCome = (round: number): boolean => round % 2 === 1;

/** The configuration of round `round`: listeners come and go, one moves; every fifth is broken. */
function configuration(round: number, { echo, moves, comes }: Ports): string {
  if (isBroken(round)) return `listeners: { steady: { addres: "127.0.0.1:1" } }\nlimits: 7\n`;
  const to = `to: "127.0.0.1:${echo}"`;
  return `
listeners:
  steady: { address: "127.0.0.1:0", protocols: [socks, tls] }
  forward: { address: "127.0.0.1:0", ${to} }
  moves: { address: "${MOVABLE}:${moves}", ${to}, limits: { perSource: ${100 + round} } }
${hasCome(round) ? `  comes${round}: { address: "${MOVABLE}:${comes}", ${to} }` : ""}
policy: [ { allow: { listener: steady, ports: [${echo}, ${10_000 + round}] } } ]
admin: { address: "off" }
log: { level: info }
`;
}

/** So many free ports of MOVABLE. */
function movablePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: MOVABLE, port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

function portsFor(echo: number): Ports {
  const [moves, comes] = movablePorts(2);
  return { echo, moves, comes };
}

/** The same bytes come back. */
async function echoes(client: Client, text: string): Promise<void> {
  await client.write(text);
  equal(new TextDecoder().decode(await client.read(text.length)), text);
}

/** From the connection to its end, as a client that has all the time. */
async function served(text: string, port: number, host?: string, asked?: number): Promise<void> {
  await using client = await connect(port, host);
  if (asked !== undefined) await socks(client, "127.0.0.1", asked);
  await echoes(client, text);
  client.end();
  await client.readAll();
}

/** Clients that come one after the other, each `CLIENTS` at once, until they are told to stop. */
function load(act: (text: string, turn: number) => Promise<void>) {
  let over = false, times = 0;
  const failures: string[] = [];
  const client = async (number: number) => {
    for (let turn = 0; !over; turn++) {
      await act(`${number}:${turn}`, turn).then(() => times++, (error) => failures.push(String(error)));
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return {
    async end() {
      over = true;
      await clients;
      return { times, failures };
    },
  };
}

Deno.test(`${RELOADS} reloads under load lose no connection, broken files between them change nothing`, async () => {
  await using echo = await listenEcho();
  const [comes, ...places] = movablePorts(3);
  let moves = places[0];
  await using program = await Program.start(configuration(0, { echo: echo.port, moves, comes }), {
    run: ["--no-watch"],
  });
  const steady = program.port("steady"), forward = program.port("forward");
  await using held = new AsyncDisposableStack();
  const live: Client[] = [];
  const hold = async (port: number, host?: string) => {
    const client = held.use(await connect(port, host));
    live.push(client);
    return client;
  };
  await socks(await hold(steady), "127.0.0.1", echo.port);
  const loading = load((text, turn) =>
    turn % 2 ? served(text, forward) : served(text, steady, undefined, echo.port)
  );
  for (let round = 1; round <= RELOADS; round++) {
    await hold(moves, MOVABLE);
    const from = program.messages.length, before = moves;
    if (!isBroken(round)) moves = places.find((place) => place !== moves)!;
    await program.configure(configuration(round, { echo: echo.port, moves, comes }));
    program.child.signal("SIGHUP");
    const done = isBroken(round) ? "configuration refused:" : "configuration applied:";
    await program.message((message) => message.startsWith(done), from);
    for (const client of live) await echoes(client, "still");
    if (isBroken(round)) continue;
    const come = hasCome(round) ? [moves, comes] : [moves];
    const gone = hasCome(round) ? [before] : [before, comes];
    const fresh = come.flatMap((port) => Array.from({ length: CLIENTS }, () => served("new", port, MOVABLE)));
    await Promise.all(fresh);
    for (const port of gone) await rejects(connect(port, MOVABLE), /ECONNREFUSED/);
  }
  const { times, failures } = await loading.end();
  equal(failures, []);
  ok(times > RELOADS, `${times} connections in ${RELOADS} reloads`);
  for (const client of live) {
    client.end();
    await client.readAll();
  }
  equal(await program.stop(), 0);
  equal(program.records.filter(({ outcome }) => outcome !== "ok"), []);
});

Deno.test("a changed file is read by itself; with --no-watch it is left alone", async () => {
  await using echo = await listenEcho();
  const ports = portsFor(echo.port), others = portsFor(echo.port);
  await using watching = await Program.start(configuration(0, ports));
  await using deaf = await Program.start(configuration(0, others), { run: ["--no-watch"] });
  await deaf.configure(configuration(1, others));
  await watching.configure(configuration(1, ports));
  await watching.message((message) => message.startsWith("configuration applied: listener comes1: new"));
  equal(deaf.messages.filter((message) => message.startsWith("configuration")), []);
  await watching.configure("listeners: [");
  await watching.message((message) => message.startsWith("configuration refused: "));
  await served("x", watching.port("forward"));
});

Deno.test("a start with --last-good takes what worked last when the file is broken, and says so", async () => {
  await using echo = await listenEcho();
  const ports = portsFor(echo.port);
  await using first = await Program.start(configuration(0, ports));
  await first.configure(configuration(1, ports));
  await first.message((message) => message.startsWith("configuration applied: listener comes1: new"));
  equal(await first.stop(), 0);
  await first.configure("listeners: 7");
  const start = (...options: string[]) =>
    Program.again(first.folder.path, ["run", "-c", `${first.folder.path}/ugate.yaml`, ...options]);
  await using refused = start();
  equal(await refused.exit(), 1);
  await using second = start("--last-good");
  await second.line(/^ready$/m);
  ok(second.stdout.includes("comes1"), second.stdout);
  ok(/ugate\.yaml:1:\d+ listeners: expected a map of names/.test(second.stderr), second.stderr);
  ok(second.stderr.includes("the configuration on disk is broken and does not hold"), second.stderr);
});
