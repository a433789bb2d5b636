import { need } from "../../../scripts/clients.ts";
import { topLines } from "../../../gate/commands/top.ts";
import { AdminApi, STATUS } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { UGATE, ugate } from "../../support/program.ts";
import { Terminal } from "../../support/terminal.ts";

const [edge, local] = STATUS.listeners;
const LATER = {
  ...STATUS,
  listeners: [{ ...edge, ended: edge.ended + 40, up: edge.up + 1024, down: edge.down + 4096 }, local],
  endpoints: [{ route: "routes[0]", endpoint: "10.0.0.7:80", active: 0, usable: false }],
  ended: [{ listener: "edge", protocol: "tls", outcome: "reset", side: "client", count: 4 }],
  limitHits: { perSource: 5 },
};

Deno.test("top shows what each listener does in a second, all together, and what should be none", () => {
  const lines = topLines(LATER, { sample: STATUS, seconds: 2 }, 80, "127.0.0.1:15000");
  ok(/^ugate 0\.1\.0 at 127\.0\.0\.1:15000, up \S+, \d\d:\d\d:\d\d$/.test(lines[0]), lines[0]);
  equal(lines.slice(1), [
    "limits hit 5 (+5), failed logins 0 (+0), endpoints left out 1 of 1",
    "",
    "LISTENER  ACTIVE  CONNS/S  ERRORS/S  UP/S  DOWN/S",
    "edge           2       20         2  512B    2KiB",
    "local          1        0         0    0B      0B",
    "(all)          3       20         2  512B    2KiB",
  ]);
});

for (const flags of [["--once"], []]) {
  Deno.test(`top ${flags.join("") || "without a terminal"} is one sample over a second, and ends`, async () => {
    await using api = new AdminApi();
    let asked = 0;
    api.state.seen = () => void asked++;
    const { code, stdout, stderr } = await ugate(["top", ...flags, "--admin", api.address]);
    equal([code, stderr, asked, stdout.split("\n").length], [0, "", 2, 8]);
  });
}

Deno.test("top as data has exact numbers", async () => {
  await using api = new AdminApi();
  const { code, stdout } = await ugate(["top", "--json", "--admin", api.address]);
  const { seconds, listeners, all } = JSON.parse(stdout);
  const none = { opened: 0, failed: 0, up: 0, down: 0 };
  equal([code, listeners, all], [0, [
    { listener: "edge", active: 2, rates: none },
    { listener: "local", active: 1, rates: none },
  ], none]);
  ok(seconds > 0);
});

Deno.test({ name: "top on a terminal draws again until q", ignore: !need("script") }, async () => {
  await using api = new AdminApi();
  const program = [Deno.execPath(), ...UGATE, "top", "--admin", api.address];
  await using terminal = new Terminal(program, 80, 24);
  await terminal.until((drawn) => drawn.split("\x1b[H").length > 3);
  await terminal.type("xq");
  equal(await terminal.end(), 0);
  ok(terminal.drawn.endsWith("\x1b[?1049l"));
});
