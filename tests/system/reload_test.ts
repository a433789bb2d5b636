/** The program reads its configuration again while it serves: nobody is lost, and nothing broken ever holds. */
import { equal, ok } from "../support/assert.ts";
import { connect, listenEcho, socks } from "../support/net.ts";
import { Program } from "../support/program.ts";

const RELOADS = 50, CLIENTS = 8;

/** The configuration of round `round`: listeners come and go, one moves; every fifth is broken. */
function configuration(round: number, echo: number, ports: readonly [number, number]): string {
  if (round % 5 === 4) return `listeners: { steady: { addres: "127.0.0.1:1" } }\nlimits: 7\n`;
  const comes = round % 2 ? `  comes${round}: { address: "127.0.0.1:0", to: "127.0.0.1:${echo}" }` : "";
  return `
listeners:
  steady: { address: "127.0.0.1:${ports[0]}", protocols: [socks, tls] }
  forward: { address: "127.0.0.1:${ports[1]}", to: "127.0.0.1:${echo}" }
  moves: { address: "127.0.0.1:0", to: "127.0.0.1:${echo}", limits: { perSource: ${100 + round} } }
${comes}
policy: [ { allow: { listener: steady, ports: [${echo}, ${10_000 + round}] } } ]
admin: { address: "off" }
log: { level: info }
`;
}

async function freePorts(): Promise<[number, number]> {
  await using a = await listenEcho();
  await using b = await listenEcho();
  return [a.port, b.port];
}

Deno.test(`${RELOADS} reloads under load lose no connection, broken files between them change nothing`, async () => {
  await using echo = await listenEcho();
  const ports = await freePorts();
  await using program = await Program.start(configuration(0, echo.port, ports), { run: ["--no-watch"] });
  let over = false, served = 0;
  const failures: string[] = [];
  const once = async (proxied: boolean, text: string) => {
    await using client = await connect(ports[proxied ? 0 : 1]);
    if (proxied) await socks(client, "127.0.0.1", echo.port);
    await client.write(text);
    equal(new TextDecoder().decode(await client.read(text.length)), text);
    client.end();
    await client.readAll();
    served++;
  };
  const client = async (number: number) => {
    for (let i = 0; !over; i++) {
      await once(i % 2 === 0, `${number}:${i}`).catch((error) => failures.push(String(error)));
    }
  };
  await using long = await connect(ports[0]);
  await socks(long, "127.0.0.1", echo.port);
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  for (let round = 1; round <= RELOADS; round++) {
    const from = program.messages.length;
    await program.configure(configuration(round, echo.port, ports));
    program.child.signal("SIGHUP");
    const done = round % 5 === 4 ? "configuration refused:" : "configuration applied:";
    await program.message((message) => message.startsWith(done), from);
    await long.write("still");
    equal(new TextDecoder().decode(await long.read(5)), "still");
  }
  over = true;
  await clients;
  equal(failures, []);
  ok(served > RELOADS, `${served} connections in ${RELOADS} reloads`);
  long.end();
  await long.readAll();
  equal(await program.stop(), 0);
  const bad = program.records.filter(({ outcome }) => outcome !== "ok");
  equal(bad, []);
});

Deno.test("a changed file is read by itself; with --no-watch it is left alone", async () => {
  await using echo = await listenEcho();
  const ports = await freePorts();
  await using watching = await Program.start(configuration(0, echo.port, ports));
  await using deaf = await Program.start(configuration(0, echo.port, await freePorts()), {
    run: ["--no-watch"],
  });
  for (const program of [deaf, watching]) await program.configure(configuration(1, echo.port, ports));
  await watching.message((message) => message.startsWith("configuration applied: listener comes1: new"));
  equal(deaf.messages.filter((message) => message.startsWith("configuration")), []);
  await watching.configure("listeners: [");
  await watching.message((message) => message.startsWith("configuration refused: "));
  await using client = await connect(ports[1]);
  await client.write("x");
  equal((await client.read(1)).length, 1);
});

Deno.test("a start with --last-good takes what worked last when the file is broken, and says so", async () => {
  await using echo = await listenEcho();
  const ports = await freePorts();
  await using first = await Program.start(configuration(0, echo.port, ports));
  await first.configure(configuration(1, echo.port, ports));
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
