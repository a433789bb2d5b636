import { screenLines } from "../../../../protocols/ssh/session/screen_text.ts";
import { visitLine } from "../../../../protocols/ssh/session/status_text.ts";
import { equal, ok } from "../../../support/assert.ts";
import { nodeStatus } from "../../../support/operations.ts";

const here = { host: "gate.example", port: 443, doorFor: (_: string, usual: number) => usual };
const visit = (i: number) => ({
  ...{
    at: Date.now(),
    name: "pi.mesh.example:80",
    from: "192.0.2.9",
    outcome: "200",
    duration: 12,
    bytes: 2048,
  },
  what: `GET /${i}/${"long/".repeat(20)}`,
});
const shown = (names: number, visits: number) => ({
  ...{ here, notes: [] },
  node: nodeStatus({ names: Array.from({ length: names }, (_, i) => `pi${i}.mesh.example:80`) }),
  visits: Array.from({ length: visits }, (_, i) => visit(i)),
});

Deno.test("on a screen of every size there is who it is, a name, the sum, and how it ends", () => {
  for (const rows of [9, 10, 15, 16, 24, 50]) {
    for (const [names, visits] of [[1, 0], [1, 100], [39, 0], [39, 100]]) {
      const lines = screenLines(shown(names, visits), { columns: 80, rows }, 0), all = lines.join("\n");
      ok(lines.length <= rows - 1, `${lines.length} lines on ${rows} rows`);
      equal(lines.at(-1), "(q, Ctrl-C or Ctrl-D ends this)");
      ok(/^ugate knows you as /.test(all) && all.includes("http://pi0.mesh.example"), all);
      ok(/^\d+ open, /m.test(all), all);
      equal(lines.filter((line) => line.includes("GET /")).length > 0, visits > 0, all);
    }
  }
});

Deno.test("where there is room, the parts stand apart, and the last visits are those that are shown", () => {
  const lines = screenLines(shown(2, 100), { columns: 80, rows: 24 }, 0);
  equal([lines.length, lines.filter((line) => line === "").length], [23, 4]);
  ok(lines[21] === "" && lines[20].includes("GET /99/"), lines.join("\n"));
});

Deno.test("a visit that is wider than the screen is told with what became of it", () => {
  const end = "200  12ms  2KiB";
  const [wide, usual, narrow, least] = [200, 80, 40, 20].map((columns) => visitLine(visit(7), columns));
  ok(wide.endsWith(`long/  ${end}`) && wide.includes("192.0.2.9"), wide);
  ok(/192\.0\.2\.9 +pi\.mesh\.example:80 {2}GET \/7\/lo.*…/.test(visitLine(visit(7), 85)));
  ok(usual.length === 80 && usual.includes("pi.mesh.example:80  GET /7/"), usual);
  ok(narrow.length === 40 && !narrow.includes("mesh") && narrow.includes("…"), narrow);
  for (const line of [usual, narrow, least]) ok(line.endsWith(end), line);
});
