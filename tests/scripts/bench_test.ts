import { direct } from "../../scripts/bench/contenders.ts";
import { measure, type Measurement } from "../../scripts/bench/measure.ts";
import { Child } from "../../scripts/bench/process.ts";
import { median, quantile } from "../../scripts/bench/quantile.ts";
import { readmeTable, withTable } from "../../scripts/bench/readme.ts";
import { linesOf, Results, table } from "../../scripts/bench/table.ts";
import { clientHello, SERVER_NAME, startUpstream } from "../../scripts/bench/upstream.ts";
import { equal, ok, rejects, throws } from "../support/assert.ts";

/** What every contender of one measurement gave. */
function results(name: string, unit: string, samples: Record<string, number[]>): Results {
  const results = new Results();
  for (const [who, values] of Object.entries(samples)) {
    for (const value of values) results.add(who, [{ name, unit, value }]);
  }
  return results;
}

Deno.test("the median of samples is the middle one, or between the middle two", () => {
  equal(median([]), undefined);
  equal(median([3, 1, 2]), 2);
  equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("a quantile is a sample that so many do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  equal([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share)), [1, 50, 99, 100]);
  equal(quantile([7], 0.99), 7);
  equal(quantile([], 0.5), undefined);
});

Deno.test("the table has absolute numbers and ratios, and blanks for what was not measured", () => {
  const { rows } = results("bulk", "Gbit/s", {
    direct: [50],
    haproxy: [10, 12, 11],
    nginx: [5],
    ugate: [22],
  });
  rows.push(...results("bulk", "CPU s/GB", { haproxy: [0.4, 0.4, 0.5], ugate: [0.1] }).rows);
  rows.push(...results("idle", "KiB", { haproxy: [3] }).rows);
  const lines = table(rows).map((line) => line.trim().split(/\s+/));
  equal(lines[1], ["bulk", "Gbit/s", "50.0", "11.0", "5.00", "22.0", "0.440", "2.00", "4.40"]);
  equal(lines[2], ["CPU", "s/GB", "0.400", "0.100", "0.250"]);
  equal(lines[3], ["idle", "KiB", "3.00"]);
});

Deno.test("the compiled program has a line of its own, in relation to the same others", () => {
  const both = results("start", "ms", { haproxy: [10], ugate: [100], compiled: [60] });
  equal(linesOf(both.rows).map(({ name, own, ratios }) => [name, own, ratios[1]]), [
    ["start", 100, 10],
    ["start, compiled", 60, 6],
  ]);
  equal(linesOf(results("file", "MB", { compiled: [110] }).rows).map(({ name }) => name), ["file, compiled"]);
});

Deno.test("the table of the README stands between its marks, and nothing else changes", () => {
  const { rows } = results("new connections, sni", "1/s", { haproxy: [12_345], ugate: [9876] });
  const made = withTable("before\n<!-- bench -->\nold\n<!-- bench -->\nbehind\n", rows, "So it was.");
  ok(
    made.startsWith("before\n<!-- bench -->\n\n|") &&
      made.endsWith("\nSo it was.\n\n<!-- bench -->\nbehind\n"),
  );
  ok(!made.includes("old"));
  const told = readmeTable(rows)[2].split("|").map((cell) => cell.trim());
  equal(told, ["", "new connections, sni (1/s)", "", "12,345", "", "9,876", "", "0.80", "", ""]);
  throws(() => withTable("<!-- bench -->", rows, ""), /^Cannot write the table/);
});

Deno.test("the ClientHello is one TLS record and carries the name", async () => {
  const hello = await clientHello(SERVER_NAME);
  equal(hello.slice(0, 2), [22, 3]);
  equal(hello.length, 5 + hello[3] * 256 + hello[4]);
  ok(new TextDecoder("latin1").decode(Uint8Array.from(hello)).includes(SERVER_NAME));
});

Deno.test("load and sink move bytes both ways, make connections, and ask and answer", async () => {
  await using upstream = await startUpstream();
  const measurements: [Measurement["mode"], Measurement["tells"], string[]][] = [
    ["swallow", "bulk", ["Gbit/s"]],
    ["pour", "bulk", ["Gbit/s"]],
    ["answer", "connections", ["1/s"]],
    ["answer", "latency", ["p50 us", "p99 us"]],
    ["echo", "latency", ["p50 us", "p99 us"]],
  ];
  for (const [mode, tells, units] of measurements) {
    const what = { name: mode, door: "forward", mode, tells, threads: 2 } as const;
    const figures = await measure(what, direct(upstream), upstream, 0.1);
    equal(figures.map(({ unit }) => unit), units);
    ok(figures.every(({ value }) => value > 0), mode);
  }
});

Deno.test("who has no such door is measured at another one, or not at all", async () => {
  await using upstream = await startUpstream();
  const what = { name: "socks", door: "socks", mode: "answer", tells: "connections", threads: 1 } as const;
  equal(await measure(what, direct(upstream), upstream, 0.1), []);
  equal((await measure({ ...what, instead: "sni" }, direct(upstream), upstream, 0.1)).length, 1);
});

Deno.test("a measurement whose connections fail is an error and no number", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const upstream = { port: silent.addr.port, hello: [] };
  silent.close();
  const what = { name: "dead", door: "forward", mode: "answer", tells: "connections", threads: 1 } as const;
  await rejects(measure(what, direct(upstream), upstream, 0.1), /^Cannot measure dead of direct: \d+ of/);
});

Deno.test("the memory of a process has its program's file whole, whoever else runs it", async () => {
  await using child = Child.script("sink.ts", "1");
  await child.line();
  const mine = Deno.readTextFileSync(`/proc/${child.pid}/smaps_rollup`);
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(mine)![1]);
  const memory = child.memory();
  ok(memory > kib("Pss") && memory < kib("Rss") * 1.1, `${memory} of ${kib("Pss")} to ${kib("Rss")}`);
});
