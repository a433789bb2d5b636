import { statusLines } from "../../../gate/commands/status.ts";
import type { Status } from "../../../gate/operations.ts";
import { AdminApi, STATUS } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { need } from "../../../scripts/clients.ts";
import { UGATE, ugate } from "../../support/program.ts";
import { Terminal } from "../../support/terminal.ts";

const NOW = new Date("2026-01-02T05:04:05.000Z");

const TROUBLED: Status = {
  ...STATUS,
  draining: true,
  configuration: {
    files: ["/etc/ugate/a.yaml", "/etc/ugate/b.yaml"],
    lastReload: { at: NOW.toISOString(), result: "refused", problems: ["a.yaml:1:1 x\x1b: no"] },
    trial: { id: "t", left: 42_000 },
  },
  engines: [{ engine: 0, restarts: 2, alive: true }, { engine: 1, restarts: 0, alive: false }],
  endpoints: [{ route: "a.yaml:3:1 routes[0]", endpoint: "10.0.0.7:80\x1b[2J", active: 3, usable: false }],
  limitHits: { perSource: 12, connections: 0 },
  authFailures: 3,
  ended: [
    { listener: "edge", protocol: "tls", outcome: "denied", side: "client", count: 2 },
    { listener: "local", protocol: "socks", outcome: "denied", side: "client", count: 1 },
    { listener: "edge", protocol: "tls", outcome: "ok", count: 1234 },
  ],
};

Deno.test("a gate that is well has few lines", () => {
  const lines = statusLines(STATUS, Infinity, NOW);
  ok(/^ugate 0\.1\.0, up 2h00m since \S+, 3 connections$/.test(lines[0]), lines[0]);
  equal(lines.slice(1), [
    "configuration: /etc/ugate/ugate.yaml",
    "",
    "LISTENER  ADDRESS         PROTOCOLS  ACTIVE  ENDED    UP    DOWN",
    "edge      [::]:443        tls,ssh         2     10  2KiB  4.8MiB",
    "local     127.0.0.1:1080  socks           1      0    0B      0B",
  ]);
});

Deno.test("what is wrong has a line each, and outcomes are summed", () => {
  const text = statusLines(TROUBLED, Infinity, NOW).join("\n");
  const lines = [
    /^ugate .*, DRAINING$/m,
    /^configuration: \/etc\/ugate\/a\.yaml, \/etc\/ugate\/b\.yaml$/m,
    /^last reload: refused, \d\d:04:05\n {2}a\.yaml:1:1 x\\x1b: no$/m,
    /^trial: 42s left, then what held before holds again/m,
    /^engine 0, started again 2 times\nengine 1, NOT RUNNING$/m,
    /^10\.0\.0\.7:80\\x1b\[2J +a\.yaml:3:1 routes\[0\] +3 +left out$/m,
    /^OUTCOME +SIDE +CONNECTIONS\nok +- +1\.2k\ndenied +client +3$/m,
    /^limit perSource: hit 12 times\nfailed logins: 3$/m,
  ];
  for (const line of lines) ok(line.test(text), `${line} in\n${text}`);
  ok(!text.includes("\x1b") && !text.includes("limit connections"), text);
});

Deno.test("a trial that could not be ended, and what worked last, are told in capitals", () => {
  const configuration = { ...STATUS.configuration, lastGood: true, trial: { id: "t", left: 0 } };
  const lines = statusLines({ ...STATUS, configuration }, Infinity, NOW);
  equal(lines.slice(1, 3), [
    "configuration: /etc/ugate/ugate.yaml AS IT WORKED LAST: what is there now is broken",
    "trial: OVER, but what held before cannot hold again so far: the log tells why (ugate confirm keeps it)",
  ]);
});

Deno.test("status as data is what the gate says; a built-in configuration is told", async () => {
  await using api = new AdminApi();
  api.state.status = TROUBLED;
  const data = await ugate(["status", "--json", "--admin", api.address]);
  equal([data.code, JSON.parse(data.stdout), data.stderr], [0, TROUBLED, ""]);
  api.state.status = { ...STATUS, configuration: { files: [] } };
  const { code, stdout } = await ugate(["status", "--admin", api.address]);
  ok(code === 0 && /^configuration: the built-in one$/m.test(stdout), stdout);
});

Deno.test("a gate that is not there, or is none, is exit code 1", async () => {
  const gone = await ugate(["status", "--admin", "unix:/nowhere/admin.sock"]);
  equal([gone.code, gone.stdout], [1, ""]);
  equal(
    gone.stderr,
    "Cannot reach the gate at unix:/nowhere/admin.sock: there is no such socket; is it running?\n",
  );
  await using api = new AdminApi();
  api.state.status = { version: 3 } as unknown as Status;
  const { code, stderr } = await ugate(["status", "--admin", api.address]);
  equal([code, stderr], [
    1,
    `Cannot GET /status of the gate at ${api.address}: what it answers is not what was asked for\n`,
  ]);
});

Deno.test(
  { name: "on a terminal it is told that an answer takes long", ignore: !need("script") },
  async () => {
    await using api = new AdminApi();
    const answer = Promise.withResolvers<void>();
    api.state.seen = () => answer.promise;
    await using terminal = new Terminal(
      [Deno.execPath(), ...UGATE, "status", "--admin", api.address],
      80,
      24,
    );
    await terminal.until((drawn) => drawn.includes(`waiting for the gate at ${api.address} ...\r\n`));
    answer.resolve();
    equal(await terminal.end(), 0);
    ok(terminal.drawn.includes("configuration: /etc/ugate/ugate.yaml"), terminal.drawn);
  },
);

Deno.test("requests have their statuses and times, certificates what is left of them", () => {
  const statuses = { none: 0, "1xx": 0, "2xx": 1200, "3xx": 0, "4xx": 7, "5xx": 1 };
  const status: Status = {
    ...STATUS,
    requests: [
      {
        route: "r",
        label: "host=a.example",
        active: 2,
        statuses,
        up: 10,
        down: 4096,
        latency: { p50: 0.4, p99: 1830 },
      },
      {
        route: "q",
        label: "path=/quiet",
        active: 0,
        statuses: { ...statuses, "2xx": 0, "4xx": 0, "5xx": 0 },
        up: 0,
        down: 0,
      },
    ],
    certificates: [
      { source: "file", names: ["a.example"], file: "/a.pem", expires: "2026-03-05T05:04:05.000Z" },
      { source: "file", names: ["b.example"], file: "/b.pem", expires: "2026-01-02T05:04:04.000Z" },
      {
        source: "acme",
        names: ["c.example"],
        file: "/c.pem",
        failure: "refused",
        nextAttempt: "2026-01-02T06:04:05.000Z",
      },
    ],
  };
  const text = statusLines(status, Infinity, NOW).join("\n");
  for (
    const line of [
      /^REQUESTS +ACTIVE +2xx +3xx +4xx +5xx +P50 +P99 +UP +DOWN$/m,
      /^host=a\.example +2 +1\.2k +0 +7 +1 +0\.4ms +1\.8s +10B +4KiB$/m,
      /^path=\/quiet +0 +0 +0 +0 +0 +- +- +0B +0B$/m,
      /^a\.example +2026-03-05 +62d00h +file +\/a\.pem$/m,
      /^b\.example +2026-01-02 +EXPIRED +file/m,
      /^c\.example +not issued +- +acme/m,
      /^certificate of c\.example: refused \(asked again /m,
    ]
  ) ok(line.test(text), `${line} in\n${text}`);
});
