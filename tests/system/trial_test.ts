/** Configurations on trial, and what worked last, as the program has them: on disk, in its log, its pages, its commands. */
import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "../../gate/engine/layout.ts";
import { socketAddress } from "../../gate/engine/sockaddr.ts";
import { libc } from "../../gate/engine/sys.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { Child, Folder } from "../support/child.ts";
import { parseExposition } from "../support/exposition.ts";
import { connect, listen, listenEcho } from "../support/net.ts";
import { Program, UGATE, ugate } from "../support/program.ts";

const ADMIN = `admin: { address: "127.0.0.1:0" }\n`;
const forward = (port: number, to: number) =>
  `listeners: { fwd: { address: "127.0.0.1:${port}", to: "127.0.0.1:${to}" } }\n${ADMIN}`;

async function freePort(): Promise<number> {
  await using server = await listenEcho();
  return server.port;
}

/** What worked last, of the one gate with this state directory. */
async function keptIn(state: string): Promise<string> {
  const [{ name }] = Deno.readDirSync(`${state}/last-good`);
  return await Deno.readTextFile(`${state}/last-good/${name}`);
}

/** What the admin page says of the configuration. */
async function configurationOf(program: Program) {
  const { configuration } = await (await program.admin("/status")).json();
  return configuration;
}

async function metric(program: Program, name: string): Promise<number> {
  const text = await (await program.admin("/metrics")).text();
  return parseExposition(text).get(name)!.samples[0].value;
}

const adminOf = (program: Program) => program.addresses("admin")[0];

/** Tries a text for so many ms. */
async function tries(program: Program, text: string, ms: number) {
  const url = `http://${adminOf(program)}/reload?confirm=${ms}`;
  const outcome = await (await fetch(url, { method: "POST", body: text })).json();
  return outcome;
}

async function echoes(port: number): Promise<void> {
  await using client = await connect(port);
  await client.write("x");
  equal((await client.read(1)).length, 1);
}

Deno.test("confirm replaces the gate's file and no other, wherever it is said; then routes are named by that file", async () => {
  await using echo = await listenEcho();
  await using folder = await Folder.make();
  for (const name of ["a", "b"]) await Deno.mkdir(`${folder.path}/${name}`);
  const state = `node: { state: "${folder.path}/state" }\n`;
  const texts = { a: `${forward(0, echo.port)}${state}`, b: "# of another gate\n" };
  for (const [name, text] of Object.entries(texts)) await folder.write(`${name}/ugate.yaml`, text);
  const next = `# new\n${texts.a}`;
  await folder.write("b/new.yaml", next);
  const child = new Child(Deno.execPath(), [...UGATE, "run", "--no-watch"], { cwd: `${folder.path}/a` });
  await using program = new Program(child, await Folder.make());
  await child.line(/^ready$/m);
  const say = (...args: string[]) =>
    ugate([...args, "--admin", adminOf(program)], { cwd: `${folder.path}/b` });
  equal((await say("reload", "--confirm", "60s", "new.yaml")).code, 0);
  const { code, stdout } = await say("confirm");
  equal([code, stdout], [0, `confirmed: ${folder.path}/a/ugate.yaml holds the configuration now\n`]);
  equal(await Deno.readTextFile(`${folder.path}/a/ugate.yaml`), next);
  equal(await Deno.readTextFile(`${folder.path}/b/ugate.yaml`), texts.b);
  const { files } = JSON.parse(await keptIn(`${folder.path}/state`));
  equal(files, [{ file: `${folder.path}/a/ugate.yaml`, text: next }]);
  equal((await configurationOf(program)).files, ["ugate.yaml"]);
  await echoes(program.port("fwd"));
  await program.record();
  ok(/"route":"ugate\.yaml:2:/.test(program.child.stderr), program.child.stderr);
  // What is confirmed is known to be on disk, though nobody read it there: the next trial can be confirmed too.
  await folder.write("b/new.yaml", `# newer\n${texts.a}`);
  equal((await say("reload", "--confirm", "60s", "new.yaml")).code, 0);
  equal((await say("confirm")).code, 0);
});

Deno.test("confirm does not write over a change that the gate has not read", async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(forward(0, echo.port), { run: ["--no-watch"] });
  const file = `${program.folder.path}/ugate.yaml`, next = `# new\n${await Deno.readTextFile(file)}`;
  equal((await tries(program, next, 60_000)).result, "applied");
  await Deno.writeTextFile(file, `# edited\n${await Deno.readTextFile(file)}`);
  const edited = await Deno.readTextFile(file);
  const { code, stderr } = await ugate(["confirm", "--admin", adminOf(program)]);
  equal([code, await Deno.readTextFile(file)], [1, edited]);
  ok(
    stderr.startsWith(
      `ugate: Cannot confirm: somebody changed ${file}, and the gate has not read it since: `,
    ),
  );
  ok((await configurationOf(program)).trial, "the trial goes on");
  equal((await ugate(["reload", "--admin", adminOf(program)])).code, 0);
  equal((await configurationOf(program)).trial, undefined);
});

Deno.test("where the port of before is taken the trial holds on and is told, until the port is free", async () => {
  await using echo = await listenEcho();
  const [before, tried] = [await freePort(), await freePort()];
  await using program = await Program.start(forward(before, echo.port), { run: ["--no-watch"] });
  equal((await tries(program, forward(tried, echo.port), 3000)).result, "applied");
  const other = await listen((socket) => socket.end(), before);
  const told = await program.message((message) => message.startsWith("Cannot end the trial"));
  ok(told.includes(`Cannot listen on 127.0.0.1:${before}`), told);
  const { trial } = await configurationOf(program);
  equal([trial.left, await metric(program, "ugate_config_trial")], [0, 1]);
  const { stdout } = await ugate(["status", "--admin", adminOf(program)]);
  ok(/^trial: OVER, but what held before cannot hold again so far/m.test(stdout), stdout);
  await echoes(tried);
  equal(program.messages.filter((message) => message.includes("holds again")), []);
  await other[Symbol.asyncDispose]();
  await program.message((message) => message.endsWith("the one before holds again"));
  equal([(await configurationOf(program)).trial, await metric(program, "ugate_config_trial")], [
    undefined,
    0,
  ]);
  await echoes(before);
  await rejects(connect(tried), /ECONNREFUSED/);
});

Deno.test("a gate that dies in a trial starts with what is on disk, and kept nothing of the trial", async () => {
  await using echo = await listenEcho();
  const [before, tried] = [await freePort(), await freePort()];
  await using program = await Program.start(forward(before, echo.port));
  const kept = () => keptIn(`${program.folder.path}/state`);
  const was = await kept();
  equal((await tries(program, forward(tried, echo.port), 60_000)).result, "applied");
  await echoes(tried);
  program.child.signal("SIGKILL");
  await program.child.exit();
  equal(await kept(), was);
  await using again = Program.again(program.folder.path, ["run", "-c", `${program.folder.path}/ugate.yaml`]);
  await again.line(/^ready$/m);
  await echoes(before);
  await rejects(connect(tried), /ECONNREFUSED/);
});

Deno.test("a gate that runs on what worked last says so, until what is on disk is good again", async () => {
  await using echo = await listenEcho();
  await using first = await Program.start(forward(0, echo.port));
  equal(await first.stop(), 0);
  const file = `${first.folder.path}/ugate.yaml`;
  const good = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, good.replace("listeners", "lisener"));
  const child = Program.again(first.folder.path, ["run", "-c", file, "--last-good", "--no-watch"]);
  await using second = new Program(child, await Folder.make());
  await child.line(/^ready$/m);
  const told = async () => [
    await metric(second, "ugate_config_last_reload_success"),
    (await configurationOf(second)).lastGood,
  ];
  equal(await told(), [0, true]);
  const { stdout } = await ugate(["status", "--admin", adminOf(second)]);
  ok(stdout.includes(`configuration: ${file} AS IT WORKED LAST: what is there now is broken\n`), stdout);
  equal((await tries(second, "listeners: 7", 60_000)).result, "refused");
  equal(await told(), [0, true]);
  await Deno.writeTextFile(file, good);
  equal((await ugate(["reload", "--admin", adminOf(second)])).code, 0);
  equal(await told(), [1, undefined]);
  equal((await tries(second, "listeners: 7", 60_000)).result, "refused");
  equal(await told(), [1, undefined]);
});

Deno.test("what worked last is kept where node.state was at the start", async () => {
  await using echo = await listenEcho();
  await using folder = await Folder.make();
  const yaml = (state: string) =>
    `# ${state}\n${forward(0, echo.port)}node: { state: "${folder.path}/${state}" }\n`;
  await using program = await Program.start(yaml("old"), { run: ["--no-watch"] });
  await program.folder.write("ugate.yaml", yaml("new"));
  equal((await ugate(["reload", "--admin", adminOf(program)])).code, 0);
  const { files } = JSON.parse(await keptIn(`${folder.path}/old`));
  equal(files[0].text, yaml("new"));
  await rejects(Deno.stat(`${folder.path}/new`), /No such file/);
});

/** systemd's end of NOTIFY_SOCKET, on this machine's abstract names. */
class Notified implements Disposable {
  readonly name = `@ugate-test-${crypto.randomUUID()}`;
  readonly #fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  constructor() {
    const { bytes, size } = socketAddress({ host: `unix:${this.name}`, port: 0 });
    equal(libc.bind(this.#fd, bytes, size), 0);
  }

  /** The first line of each message so far. */
  take(): string[] {
    const messages: string[] = [], bytes = new Uint8Array(4096);
    for (let size; (size = libc.recv(this.#fd, bytes, bytes.length, 0)) > 0;) {
      messages.push(new TextDecoder().decode(bytes.subarray(0, size)).split("\n")[0]);
    }
    return messages;
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

Deno.test("SIGHUP while it drains changes no number, is no error, and takes STOPPING back nowhere", async () => {
  await using echo = await listenEcho();
  using systemd = new Notified();
  await using program = await Program.start(forward(0, echo.port), {
    run: ["--no-watch"],
    env: { NOTIFY_SOCKET: systemd.name },
  });
  await using client = await connect(program.port("fwd"));
  await client.write("x");
  await client.read(1);
  program.child.signal("SIGTERM");
  await program.message((message) => message.startsWith("stopping"));
  program.child.signal("SIGHUP");
  await program.message((message) => message === "configuration not read: the gate stops");
  equal(await metric(program, "ugate_config_last_reload_success"), 1);
  equal((await configurationOf(program)).lastReload, undefined);
  client.end();
  await client.readAll();
  equal(await program.child.exit(), 0);
  ok(!program.child.stderr.includes(`"level":"error"`), program.child.stderr);
  const states = systemd.take().filter((line) => /^(READY|RELOADING|STOPPING)=/.test(line));
  equal([...new Set(states)], ["READY=1", "STOPPING=1"]);
});
