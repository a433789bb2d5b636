import { need } from "../../../scripts/clients.ts";
import { AdminApi, liveConnection } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { UGATE, ugate } from "../../support/program.ts";
import { Child } from "../../support/child.ts";
import { Terminal } from "../../support/terminal.ts";

/** Five of them, the newest first; what a client sent is in two. */
function gate(): AdminApi {
  const api = new AdminApi();
  api.state.connections = [
    liveConnection(5, { up: 10, serverName: "evil\x1b[2J\u202e.example", target: undefined }),
    liveConnection(4, { up: 40, user: "müller\n日本" }),
    liveConnection(3, { up: 20, listener: "local", protocol: "socks" }),
    liveConnection(2, { up: 50, down: 1, stage: "sniffing", protocol: "" }),
    liveConnection(1, {
      up: 30,
      route: "ugate.yaml:3:5 routes[0]",
      endpoint: "10.0.0.7:443",
      serverName: "host1.example",
    }),
  ];
  return api;
}

const ids = (stdout: string) =>
  stdout.split("\n").slice(1, -1).map((line) => Number(line.trim().split(/ +/)[0]));

Deno.test("connections are a table, the newest first, that shows no control character", async () => {
  await using api = gate();
  const { code, stdout, stderr } = await ugate(["connections", "--admin", api.address]);
  equal([code, stderr, ids(stdout)], [0, "", [5, 4, 3, 2, 1]]);
  const [titles, fifth, fourth, , , first] = stdout.split("\n");
  equal(titles.split(/ +/).slice(0, 9), [
    "ID",
    "AGE",
    "LISTENER",
    "PROTOCOL",
    "STAGE",
    "PEER",
    "USER",
    "NAME",
    "TARGET",
  ]);
  ok(fifth.includes(String.raw`evil\x1b[2J\u{202e}.example  -  `), fifth);
  ok(fourth.includes(String.raw`müller\x0a日本`), fourth);
  equal(first.split(/ +/).slice(-6), [
    "-",
    "host1.example:443",
    "10.0.0.7:443",
    "routes[0]",
    "30B",
    "2.0KiB",
  ]);
  ok(!/(?!\n)\p{Cc}|\p{Cf}/u.test(stdout), stdout);
});

Deno.test("connections are chosen by listener, sorted, and cut; what is not shown is told", async () => {
  await using api = gate();
  const asked = async (...args: string[]) => {
    const { stdout, stderr } = await ugate(["connections", "--admin", api.address, ...args]);
    return [ids(stdout), stderr.trimEnd()];
  };
  equal(await asked("--sort", "up"), [[2, 4, 1, 3, 5], ""]);
  equal(await asked("--sort", "down", "--most", "2"), [[5, 4], "2 shown of 5 connections"]);
  equal(await asked("--sort", "age", "--most", "1"), [[5], "1 shown of 5 connections"]);
  equal(await asked("--listener", "local"), [[3], "1 of listener local shown of 5 connections"]);
  equal(await asked("--listener", "edgy\x1b"), [[], "none of listener edgy\\x1b shown of 5 connections"]);
  equal(await asked("--most", "3"), [[5, 4, 3], "3 shown of 5 connections"]);
  api.state.connections = [];
  equal(await asked(), [[], "no connections"]);
});

Deno.test("connections as data are exact, and no terminal obeys them", async () => {
  await using api = gate();
  const { code, stdout } = await ugate(["connections", "--json", "--most", "2", "--admin", api.address]);
  const sent = JSON.parse(JSON.stringify(api.state.connections.slice(0, 2)));
  equal([code, JSON.parse(stdout)], [0, { total: 5, connections: sent }]);
  ok(!/\u202e|(?!\n)\p{Cc}/u.test(stdout), stdout);
});

Deno.test("--sort rate looks twice, and tells the rates as data", async () => {
  await using api = gate();
  let samples = 0;
  api.state.seen = () => {
    const add = samples++ * 1_000_000;
    api.state.connections = [
      liveConnection(2, { up: 0, began: 1 }),
      liveConnection(1, { up: add, began: 1 }),
    ];
  };
  const { stdout } = await ugate(["connections", "--sort", "rate", "--json", "--admin", api.address]);
  const { connections } = JSON.parse(stdout);
  equal([samples, connections.map(({ id }: { id: number }) => id)], [2, [1, 2]]);
  ok(connections[0].rates.up > 0 && connections[1].rates.up === 0, stdout);
});

Deno.test("--watch without a terminal writes one table after the other, as data one line each", async () => {
  await using api = gate();
  const args = [...UGATE, "connections", "--watch", "0.1", "--admin", api.address];
  await using text = new Child(Deno.execPath(), args);
  await text.line(/^5 connections[^]*UP\/S[^]*^5 connections[^]*^5 connections/m);
  await using data = new Child(Deno.execPath(), [...args, "--json"]);
  await data.line(/^\{.*\}\n\{.*"rates":\{"up":0,"down":0\}.*\}\n/m);
  ok(!text.stdout.includes("\x1b") && !text.stdout.includes("(q ends)"), text.stdout);
});

Deno.test("a watch that nobody reads any more ends by itself", async () => {
  await using api = gate();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...UGATE, "connections", "--watch", "0.1", "--admin", api.address],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  equal((await child.status).code, 0);
});

const ENTER = "\x1b[?1049h", LEAVE = "\x1b[?25h\x1b[?1049l";
const ignore = !need("script");

/** The frames that were drawn, as lines. */
function frames(drawn: string): string[][] {
  return drawn.split("\x1b[H").slice(1)
    // deno-lint-ignore no-control-regex
    .map((frame) => frame.replace(/\x1b\[J[^]*$/, "").replaceAll("\x1b[K", "").split(/\r+\n/));
}

for (const [how, keys] of [["q", "q"], ["Ctrl-C", "\x03"]]) {
  Deno.test(
    { name: `a watch fits the terminal, follows its size, and ${how} restores it`, ignore },
    async () => {
      await using api = gate();
      api.state.connections = Array.from(
        { length: 40 },
        (_, i) => liveConnection(40 - i, { user: "u".repeat(90) }),
      );
      const program = [Deno.execPath(), ...UGATE, "connections", "--watch", "0.1", "--admin", api.address];
      await using terminal = new Terminal(program, 80, 10);
      await terminal.until((drawn) => frames(drawn).length > 2);
      const [, first] = frames(terminal.drawn); // with rates, which need two samples
      equal([first.length, first.at(-1)], [10, "7 shown of 40 connections"]);
      ok(first.every((line) => line.length <= 80) && first[1].includes("DOWN/S"), first.join("\n"));
      await terminal.resize(140, 20);
      const large = await terminal.until((drawn) =>
        frames(drawn).slice(0, -1).find((lines) => lines.length === 20 && lines[1].includes("USER"))
      );
      equal(large.filter((line) => line.length > 140), []);
      await terminal.type(keys);
      equal(await terminal.end(), 0);
      ok(terminal.drawn.includes(ENTER) && terminal.drawn.endsWith(LEAVE), terminal.drawn.slice(-300));
    },
  );
}

Deno.test(
  { name: "a watched gate that goes away is told in place, and its return too", ignore },
  async () => {
    await using api = gate();
    let away = false;
    api.state.seen = () => {
      if (away) throw new Error("away");
    };
    const program = [Deno.execPath(), ...UGATE, "connections", "--watch", "0.1", "--admin", api.address];
    await using terminal = new Terminal(program, 100, 12);
    await terminal.until((drawn) => frames(drawn).length > 1);
    away = true;
    await terminal.until((drawn) =>
      frames(drawn).some(([line]) => line.startsWith("Cannot GET /connections"))
    );
    away = false;
    const told = frames(terminal.drawn).length;
    await terminal.until((drawn) =>
      frames(drawn).slice(told + 1).some(([line]) => line.startsWith("5 connections"))
    );
    await terminal.type("q");
    equal(await terminal.end(), 0);
  },
);
