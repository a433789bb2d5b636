/** From start to end: what binds, what a signal does, what a mistake says. */
import { equal, ok, rejects } from "../support/assert.ts";
import { Child, Folder } from "../support/child.ts";
import { connect, connectUnix, listen, listenEcho, socks } from "../support/net.ts";
import { MAIN, Program } from "../support/program.ts";

const PROXY = `
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks, connect, tls] }
admin: { address: "127.0.0.1:0" }
`;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} closes the listeners, after the grace resets what is open, and ends with 0`, async () => {
    await using echo = await listenEcho();
    await using program = await Program.start(`${PROXY}limits: { grace: 200ms }\n`);
    const port = program.port("local");
    await using client = await connect(port);
    await socks(client, "127.0.0.1", echo.port);
    await client.write("hello");
    equal(new TextDecoder().decode(await client.read(5)), "hello");
    const began = performance.now();
    equal(await program.stop(signal), 0);
    ok(performance.now() - began < 5000, "it took longer than 5 s");
    await rejects(client.readAll(), /ECONNRESET/);
    await rejects(connect(port), /ECONNREFUSED/);
    equal(program.records.map(({ outcome, up, down }) => [outcome, up, down]), [["closed", 5, 5]]);
  });
}

Deno.test("one Ctrl-C that arrives twice within a millisecond is one signal", async () => {
  await using program = await Program.start(PROXY);
  program.child.signal("SIGINT");
  equal(await program.stop("SIGINT"), 0);
});

Deno.test("a port that is in use is a clear error, exit code 1, and nothing stays bound", async () => {
  await using taken = await listenEcho();
  const free = await listen(() => {});
  await free[Symbol.asyncDispose]();
  await using program = await Program.launch(`
listeners:
  first: { address: "127.0.0.1:${free.port}", protocols: [socks] }
  second: { address: "127.0.0.1:${taken.port}", protocols: [socks] }
admin: { address: "off" }
`);
  equal(await program.child.exit(), 1);
  equal(program.child.stdout, "");
  const [message, ...more] = program.messages;
  const place = `${program.folder.path}/ugate.yaml:4:22 listeners.second.address`;
  equal([message, more], [`${place}: Cannot listen on 127.0.0.1:${taken.port}: another program has it`, []]);
  await rejects(connect(free.port), /ECONNREFUSED/);
});

Deno.test("an admin port that is in use ends what was bound before it", async () => {
  await using taken = await listenEcho();
  await using program = await Program.launch(
    PROXY.replace('admin: { address: "127.0.0.1:0" }', `admin: { address: "127.0.0.1:${taken.port}" }`),
  );
  equal(await program.child.exit(), 1);
  const state = `admin.address: Cannot listen on 127.0.0.1:${taken.port}: another program has it`;
  equal(program.messages, [state]);
});

Deno.test("what nobody caught on the main thread is told as a fault, and cuts no connection", async () => {
  await using echo = await listenEcho();
  await using folder = await Folder.make();
  const mistakes = await folder.write(
    "mistakes.js",
    `Deno.addSignalListener("SIGUSR2", () => {
  Promise.reject(new Error("nobody owns this"));
  setTimeout(() => { throw new Error("out of a timer"); });
});`,
  );
  const file = await folder.write("ugate.yaml", `${PROXY}node: { state: "${folder.path}/state" }\n`);
  const args = ["run", "-A", "--preload", mistakes, MAIN, "run", "-c", file];
  await using child = new Child(Deno.execPath(), args, { cwd: folder.path });
  await child.line(/^ready$/m);
  const port = Number(/^ {2}local +127\.0\.0\.1:(\d+)/m.exec(child.stdout)![1]);
  await using client = await connect(port);
  await socks(client, "127.0.0.1", echo.port);
  child.signal("SIGUSR2");
  await child.line(/"level":"error","event":"fault","message":"fault \(promise\): nobody owns this/);
  await child.line(/"level":"error","event":"fault","message":"fault \(error\): out of a timer/);
  await client.write("hello");
  equal(new TextDecoder().decode(await client.read(5)), "hello");
  client.end();
  await client.readAll();
  child.signal("SIGTERM");
  equal(await child.exit(), 0);
});

Deno.test("once the configuration is known all that is said is lines of its log", async () => {
  const few = ["sh", "-c", 'ulimit -n 300 && exec "$@"', "sh"];
  const env = { NOTIFY_SOCKET: "@ugate-nobody-is-there" };
  await using program = await Program.start(`${PROXY}log: { format: json }\n`, { before: few, env });
  equal(await program.stop(), 0);
  const lines = program.child.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  const warnings = lines.filter(({ event }) => event === "warning").map(({ message }) =>
    message.split(":")[0]
  );
  equal(warnings, [
    "ulimit -n 300 is enough for about 100 of limits.connections 20000",
    "Cannot tell systemd at @ugate-nobody-is-there",
  ]);
});

Deno.test("a start with the last good configuration tells what is broken as lines of the log", async () => {
  await using program = await Program.start(PROXY);
  equal(await program.stop(), 0);
  const { path } = program.folder;
  await Deno.writeTextFile(
    `${path}/ugate.yaml`,
    `listeners: { edge: { adress: ":1" } }\nnode: { state: "${path}/state" }\n`,
  );
  await using again = Program.again(path, ["run", "--last-good", "-c", `${path}/ugate.yaml`]);
  await again.line(/^ready$/m);
  again.signal("SIGTERM");
  equal(await again.exit(), 0);
  const lines = again.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  const warnings = lines.filter(({ event }) => event === "warning").map(({ message }) => message);
  ok(warnings.some((text) => text.startsWith("the configuration on disk is broken")), again.stderr);
  ok(warnings.some((text) => text.includes("adress")), again.stderr);
});

Deno.test("a broken configuration says every mistake on stderr and exits with 1", async () => {
  await using program = await Program.launch(`
listeners:
  edge: { address: "127.0.0.1:70000", protocols: [tls] }
  proxy: { adress: "127.0.0.1:0", protocols: [sox] }
routes:
  - { host: "a b", to: "127.0.0.1:1" }
`);
  equal(await program.child.exit(), 1);
  equal(program.child.stdout, "");
  const said = program.child.stderr.trim().split("\n");
  ok(said.length >= 4, program.child.stderr);
  for (const place of [":3:", ":4:", ":6:"]) {
    ok(said.some((line) => line.includes(`ugate.yaml${place}`)), `${place} in\n${program.child.stderr}`);
  }
  ok(program.child.stderr.includes("did you mean"), program.child.stderr);
});

Deno.test("a unix socket that a killed gate left is taken over, and is gone after a proper end", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/gate.sock`;
  const yaml = PROXY.replace("127.0.0.1:0", `unix:${path}`);
  await using killed = await Program.start(yaml);
  killed.child.signal("SIGKILL");
  await killed.child.status;
  ok((await Deno.lstat(path)).isSocket);
  await using program = await Program.start(yaml);
  equal(program.addresses("local"), [`unix:${path}`]);
  await using second = await Program.launch(yaml);
  equal(await second.child.exit(), 1);
  const [message] = second.messages;
  ok(
    message.endsWith(`listeners.local.address: Cannot listen on unix:${path}: another program listens there`),
    message,
  );
  await using client = await connectUnix(path);
  await client.write(Uint8Array.of(5, 1, 0));
  equal([...await client.read(2)], [5, 0]);
  client.end();
  await client.readAll();
  equal(await program.stop(), 0);
  await rejects(Deno.lstat(path), /No such file/);
});
