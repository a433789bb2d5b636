/** From start to end: what binds, what a signal does, what a mistake says. */
import { equal, ok, rejects } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { connect, connectUnix, listen, listenEcho, socks } from "../support/net.ts";
import { Program } from "../support/program.ts";

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
  equal(program.child.stderr, `Cannot listen on 127.0.0.1:${taken.port}: another program has it\n`);
  await rejects(connect(free.port), /ECONNREFUSED/);
});

Deno.test("an admin port that is in use ends what was bound before it", async () => {
  await using taken = await listenEcho();
  await using program = await Program.launch(
    PROXY.replace('admin: { address: "127.0.0.1:0" }', `admin: { address: "127.0.0.1:${taken.port}" }`),
  );
  equal(await program.child.exit(), 1);
  ok(program.child.stderr.includes(`Cannot listen on 127.0.0.1:${taken.port}`), program.child.stderr);
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
  equal(second.child.stderr, `Cannot listen on unix:${path}: another program listens there\n`);
  await using client = await connectUnix(path);
  await client.write(Uint8Array.of(5, 1, 0));
  equal([...await client.read(2)], [5, 0]);
  client.end();
  await client.readAll();
  equal(await program.stop(), 0);
  await rejects(Deno.lstat(path), /No such file/);
});
