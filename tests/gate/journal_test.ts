import fc from "fast-check";
import { GateError } from "../../gate/errors.ts";
import { Journal, type JournalBatch, type JournalEntry, type LogFormat } from "../../gate/journal.ts";
import { equal, ok } from "../support/assert.ts";

const ENTRY: JournalEntry = {
  id: 7,
  listener: "edge",
  peer: { address: "2001:db8::1", port: 4711, layers: ["tls"] },
  record: { protocol: "socks", target: "example.com:443", endpoint: "", user: "", up: 10, down: 20 },
  began: Date.UTC(2026, 0, 2, 3, 4, 5),
  duration: 12.6,
  failure: undefined,
};

function written(format: LogFormat, entries: readonly JournalEntry[], logged = true): JournalBatch[] {
  const batches: JournalBatch[] = [];
  const journal = new Journal(format, (batch) => batches.push(batch));
  for (const entry of entries) journal.write(entry, logged);
  journal.flush();
  return batches;
}

Deno.test("a line tells what there is to tell, the same in both formats, at the time of its end", () => {
  const [{ lines: json }] = written("json", [ENTRY]);
  const { time, level, event, ...facts } = JSON.parse(json);
  equal([time, level, event], ["2026-01-02T03:04:05.012Z", "info", "connection"]);
  equal(facts, {
    id: 7,
    listener: "edge",
    peer: "[2001:db8::1]:4711",
    protocol: "socks",
    layers: "tls",
    target: "example.com:443",
    up: 10,
    down: 20,
    ms: 13,
    outcome: "ok",
  });
  equal(
    written("text", [ENTRY])[0].lines,
    "2026-01-02T03:04:05.012Z info  connection listener=edge peer=[2001:db8::1]:4711 protocol=socks layers=tls " +
      "target=example.com:443 up=10 down=20 ms=13 outcome=ok\n",
  );
});

Deno.test("a failure is told with its side and every cause", () => {
  const failure = new GateError("refused", "upstream", "Cannot go on: b", new Error("a"));
  const { outcome, side, cause } = JSON.parse(written("json", [{ ...ENTRY, failure }])[0].lines);
  equal([outcome, side, cause], ["refused", "upstream", "Cannot go on: b: a"]);
});

Deno.test("what a client sent forges no line and no field", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string(), (target, user) => {
    const entry = { ...ENTRY, record: { ...ENTRY.record, target: `${target}\n\r"= outcome=forged`, user } };
    const [{ lines }] = written("text", [entry]);
    equal(lines.split("\n").length, 2);
    const unquoted = lines.replace(/"(?:[^"\\]|\\.)*"/g, "");
    ok(!unquoted.includes("forged") && !unquoted.includes("\r"));
    equal(JSON.parse(written("json", [entry])[0].lines).outcome, "ok");
  }));
});

Deno.test("no sign that a terminal obeys, or that turns text around, gets into a line", () => {
  const target = "unix:/\x9b2J\x7f\u202egnp.exe\u200b\x1b]0;x\x07é";
  const entry = { ...ENTRY, record: { ...ENTRY.record, target } };
  for (const format of ["text", "json"] as const) {
    const [{ lines }] = written(format, [entry]);
    for (const sign of "\x9b\x7f\x1b\x07\u202e\u200b") ok(!lines.includes(sign), JSON.stringify(lines));
    ok(lines.includes("\\u009b2J") && lines.includes("é"));
  }
  equal(JSON.parse(written("json", [entry])[0].lines).target, target);
});

Deno.test("connections are counted by listener, protocol, outcome and side, logged or not", () => {
  const failed = { ...ENTRY, failure: new GateError("reset", "client", "Cannot go on") };
  const [{ lines, counts, bytes }] = written(
    "json",
    [ENTRY, failed, ENTRY, { ...ENTRY, listener: "b" }],
    false,
  );
  equal(lines, "");
  equal(Object.fromEntries(counts), {
    "edge\tsocks\tok\t": 2,
    "edge\tsocks\treset\tclient": 1,
    "b\tsocks\tok\t": 1,
  });
  equal(bytes, [["edge", 30, 60], ["b", 10, 20]]);
});

Deno.test("lines leave in batches, and nothing leaves when there is nothing", () => {
  equal(written("json", []), []);
  const batches = written("text", Array<JournalEntry>(1000).fill(ENTRY));
  ok(batches.length > 1 && batches.length < 20, `${batches.length} batches`);
  equal(batches.map(({ lines }) => lines.split("\n").length - 1).reduce((a, b) => a + b), 1000);
});
