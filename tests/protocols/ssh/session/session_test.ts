/** Sessions as a client of SSH has them: what they show, run, refuse, and how they end. */
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import type { Offer } from "../../../../gate/contracts.ts";
import type { Visit } from "../../../../gate/operations.ts";
import { encoded } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";
import { onLoop, pause } from "../../../support/on_loop.ts";
import { ADMIN, type Grant, type Visitor, World } from "../../../support/ssh_session.ts";

openssl(); // the library stays: no test is to be blamed for it

const VISIT: Visit = { at: 0, name: "pi.mesh.example:80", from: "192.0.2.9", what: "GET /" };
const PLAIN: Grant = { pty: true };
const CONTROLS = /(?!\n)[\p{Cc}\p{Cf}]/u;

const offer = (name: string, port: number): Offer => ({
  name,
  port,
  roundTrip: 1,
  open: () => {
    throw new Error("nobody comes");
  },
});

function test(says: string, grant: Grant, act: (world: World) => Promise<void>, print = true): void {
  const script = print
    ? { print: ({ verb, json }: { verb: string; json: boolean }) => ({ text: `${verb} ${json}\n`, code: 0 }) }
    : {};
  Deno.test(says, () =>
    onLoop(async () => {
      using world = await World.make(grant, script);
      await act(world);
    }));
}

const ended = (visitor: Visitor) => visitor.world.until(() => visitor.isClosed);

test(
  "without a terminal a shell is a status, line by line, with the ways to each name",
  PLAIN,
  async (world) => {
    world.gate.offers.add(offer("pi.mesh.example", 22)).add(offer("pi.mesh.example", 443));
    const visitor = await world.session();
    ok(await visitor.ask("shell"));
    await world.until(() => visitor.shown.includes("https"));
    ok(!visitor.shown.includes("\x1b") && !visitor.shown.includes("\r"), visitor.shown);
    ok(visitor.shown.includes("  ssh    ssh -J gate.example:443 pi.mesh.example\n"), visitor.shown);
    ok(visitor.shown.includes("  https  https://pi.mesh.example\n"), visitor.shown);
    for (const hear of world.gate.watching) hear({ ...VISIT, outcome: "200", duration: 12, bytes: 2048 });
    await world.until(() => visitor.shown.includes("GET /"));
    ok(
      /192\.0\.2\.9 +pi\.mesh\.example:80 {2}GET \/ {2}200 {2}12ms {2}2KiB\n/.test(visitor.shown),
      visitor.shown,
    );
  },
);

test("a name that is granted later is shown then", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes("ssh -p 443 -R 80:localhost:3000 gate.example"));
  world.gate.offers.add(offer("pi.mesh.example", 5432));
  await world.until(() =>
    visitor.shown.includes("ssh -N -L 5432:pi.mesh.example:5432 -p 443 gate.example\n")
  );
});

test("what was refused to be forwarded is told, also after it has begun", PLAIN, async (world) => {
  world.refusals.add('"a" is not forwarded: why\x1b');
  const visitor = await world.session();
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes('"a" is not forwarded: why\\x1b\n'));
  world.refusals.add("another");
  await world.until(() => visitor.shown.includes("another\n"));
  equal(visitor.shown.split("why").length, 2);
});

test("upon a terminal the status stands in its place, and q ends it", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.terminal("xterm"));
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes("(q,"));
  ok(visitor.shown.startsWith("\x1b[H\x1b[2J\x1b[1;1H"), JSON.stringify(visitor.shown));
  const before = visitor.shown.length;
  for (const hear of world.gate.watching) hear(VISIT);
  await world.until(() => visitor.shown.includes("GET /"));
  ok(!visitor.shown.slice(before).includes("\x1b[1;1H"), "the first line is as it was");
  await visitor.type("xq");
  await ended(visitor);
  equal([visitor.exit, world.gate.watching.size], [0, 0]);
});

for (
  const [key, typed] of Object.entries({ "Ctrl-C": "\x03", "Ctrl-D": "\x04", "Ctrl-\\": "\x1c", Q: "Q" })
) {
  test(`${key} ends it upon a terminal`, PLAIN, async (world) => {
    const visitor = await world.session();
    ok(await visitor.terminal("vt100"));
    ok(await visitor.ask("shell"));
    await visitor.type(typed);
    await ended(visitor);
    equal(visitor.exit, 0);
  });
}

test("a signal ends it, and what is no ending one does not", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.ask("shell"));
  ok(await visitor.ask("signal", encoded((to) => to.text("USR1"))));
  await world.until(() => visitor.shown !== "");
  ok(!visitor.isClosed);
  visitor.channel.request("signal", encoded((to) => to.text("TERM")));
  await ended(visitor);
});

test("the end of what is typed ends it upon a terminal alone", PLAIN, async (world) => {
  const plain = await world.session(), typing = await world.session();
  ok(await typing.terminal("xterm"));
  for (const visitor of [plain, typing]) {
    ok(await visitor.ask("shell"));
    await world.until(() => visitor.shown !== "");
    await visitor.stream.closeWrite();
  }
  await ended(typing);
  for (const hear of world.gate.watching) hear(VISIT);
  await world.until(() => plain.shown.includes("GET /"));
  ok(!plain.isClosed);
});

test("a terminal that obeys no escapes gets lines", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.terminal("dumb"));
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes("localhost"));
  ok(!visitor.shown.includes("\x1b") && !/[^\r]\n/.test(visitor.shown), JSON.stringify(visitor.shown));
});

test(
  "no-pty is heeded: there is no terminal, and the status comes in lines",
  { pty: false },
  async (world) => {
    const visitor = await world.session();
    ok(!await visitor.terminal("xterm"));
    ok(await visitor.ask("shell"));
    await world.until(() => visitor.shown !== "");
    ok(!visitor.shown.includes("\x1b"));
  },
);

test("lines are no longer than the terminal is wide, and follow it", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.terminal("xterm", 30, 10));
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes("…"));
  const before = visitor.shown.length;
  visitor.channel.request("window-change", encoded((to) => to.uint32(120).uint32(40).uint32(0).uint32(0)));
  await world.until(() => visitor.shown.slice(before).includes("(q,"));
  ok(!visitor.shown.slice(before).includes("…"), visitor.shown.slice(before));
});

test("what visitors write moves no cursor", PLAIN, async (world) => {
  world.gate.offers.add(offer("a\x1b[2Jb", 443));
  const visitor = await world.session();
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown !== "");
  for (const hear of world.gate.watching) {
    hear({ ...VISIT, what: "GET /\x1b]0;x\x07\u202e\r\n", from: "\x9b" });
  }
  await world.until(() => visitor.shown.includes("GET /"));
  ok(!CONTROLS.test(visitor.shown), JSON.stringify(visitor.shown));
});

test(
  "of what nobody has the time to read some lines are left out, and it is told how many",
  PLAIN,
  async (world) => {
    const visitor = await world.session(false);
    ok(await visitor.ask("shell"));
    await world.until(() => world.gate.watching.size === 1);
    for (let i = 0; i < 10_000; i++) {
      for (const hear of world.gate.watching) {
        hear({ ...VISIT, what: `GET /${i}` });
      }
    }
    void visitor.read();
    await world.until(() => visitor.shown.includes("GET /9999"));
    const lines = visitor.shown.split("\n").filter((line) => line.includes("GET /"));
    const [, missed] = /^(\d+) lines left out$/m.exec(visitor.shown) ?? [];
    equal([lines.length, missed], [150, "9850"]);
  },
);

test("a client that never reads is sent a window and no more", PLAIN, async (world) => {
  const visitor = await world.session(false);
  ok(await visitor.terminal("xterm", 400, 150));
  ok(await visitor.ask("shell"));
  await world.until(() => world.gate.watching.size === 1);
  const before = world.bridge.crossed.server;
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 150; i++) {
      for (const hear of world.gate.watching) hear({ ...VISIT, what: `GET /${"x".repeat(180)}${round}` });
    }
    await pause(260);
    await world.cross();
  }
  const sent = world.bridge.crossed.server - before;
  ok(sent > 200_000 && sent < 300_000, String(sent));
  await visitor.type("q");
  await world.until(() => world.gate.watching.size === 0);
});

test("verbs are printed for the role admin, and their code is told", ADMIN, async (world) => {
  for (const [command, shown] of [["status", "status false\n"], [" ugate  nodes --json ", "nodes true\n"]]) {
    const visitor = await world.session();
    ok(await visitor.exec(command));
    await ended(visitor);
    equal([visitor.shown, visitor.errors, visitor.exit], [shown, "", 0]);
  }
});

test("upon a terminal what is printed goes back at each end of a line", ADMIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.terminal("xterm"));
  ok(await visitor.exec("status"));
  await ended(visitor);
  equal(visitor.shown, "status false\r\n");
});

test("without the role nothing is printed but help", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.exec("status"));
  await ended(visitor);
  const refusal = "Cannot run status: it is for who has the role admin\n";
  equal([visitor.shown, visitor.errors, visitor.exit], ["", refusal, 1]);
  const other = await world.session();
  ok(await other.exec("help"));
  await ended(other);
  ok(other.shown.includes("connections") && other.exit === 0);
});

test("what is no verb is 127, with a sentence that obeys nobody", ADMIN, async (world) => {
  for (const command of ["rm -rf /", "", "scp -t \x1b[2J", "\x1b[2J", "x".repeat(30_000)]) {
    const visitor = await world.session();
    ok(await visitor.exec(command));
    await ended(visitor);
    ok(/^Cannot run .*: here are status, nodes/.test(visitor.errors), visitor.errors);
    ok(visitor.errors.length < 300 && !visitor.errors.includes("\x1b"), visitor.errors);
    equal([visitor.shown, visitor.exit], ["", 127]);
  }
});

test("a verb that fails says why", ADMIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.exec("status"));
  await ended(visitor);
  equal([visitor.errors, visitor.exit], ["Cannot tell: nobody prints anything here\n", 1]);
}, false);

test(
  "a command of authorized_keys is run whatever is asked for",
  { ...ADMIN, command: "status" },
  async (world) => {
    for (
      const ask of [(visitor: Visitor) => visitor.ask("shell"), (visitor: Visitor) => visitor.exec("id")]
    ) {
      const visitor = await world.session();
      ok(await ask(visitor));
      await ended(visitor);
      equal([visitor.shown, visitor.exit], ["status false\n", 0]);
    }
  },
);

test("no subsystem is served, and whoever asks for one reads why", ADMIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.ask("subsystem", encoded((to) => to.text("sftp"))));
  await ended(visitor);
  equal([visitor.errors, visitor.exit], [
    "Cannot transfer files: this gate has no files or programs of its own\n",
    1,
  ]);
});

test("agents, X11 and variables are refused, and the status says what is not there", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(!await visitor.ask("auth-agent-req@openssh.com"));
  ok(!await visitor.ask("x11-req"));
  ok(!await visitor.ask("env", encoded((to) => to.text("LANG").text("C"))));
  ok(!await visitor.ask("window-change"));
  ok(await visitor.ask("shell"));
  await world.until(() => visitor.shown.includes("Cannot forward X11"));
  ok(visitor.shown.includes("Cannot forward your agent"));
});

test("a channel has one thing, and a terminal that is told whole", ADMIN, async (world) => {
  const visitor = await world.session();
  ok(!await visitor.ask("pty-req", encoded((to) => to.text("xterm").uint32(80))));
  ok(await visitor.terminal("xterm"));
  ok(!await visitor.terminal("xterm"));
  ok(await visitor.ask("shell"));
  ok(!await visitor.ask("shell"));
  ok(!await visitor.exec("status"));
});

test("a connection has ten sessions at once, and one that is over makes room", PLAIN, async (world) => {
  const all: Visitor[] = [];
  for (let i = 0; i < 10; i++) all.push(await world.session());
  await ended(await world.session());
  all[0].channel.close();
  await world.cross();
  ok(await (await world.session()).ask("shell"));
});

test("a connection that breaks leaves nobody watching", PLAIN, async (world) => {
  const visitor = await world.session();
  ok(await visitor.ask("shell"));
  await world.until(() => world.gate.watching.size === 1);
  world.bridge.client.transport.disconnect(11, "bye");
  await world.until(() => world.gate.watching.size === 0);
});
