import fc from "fast-check";
import { GateError } from "../../gate/errors.ts";
import { DURATIONS } from "../../gate/durations.ts";
import type { JournalEntry } from "../../gate/connection_log.ts";
import { Journal, type JournalBatch } from "../../gate/journal.ts";
import { LOG_FIELDS, NUMBER_FIELDS } from "../../gate/log.ts";
import { type LogFormat, peerText } from "../../gate/log_line.ts";
import { equal, ok } from "../support/assert.ts";

const ENTRY: JournalEntry = {
  id: 7,
  listener: "edge",
  peer: { address: "2001:db8::1", port: 4711, layers: ["tls"] },
  record: { protocol: "socks", target: "example.com:443", endpoint: "", user: "", up: 10, down: 20 },
  began: Date.UTC(2026, 0, 2, 3, 4, 5),
  duration: 12.6,
  stages: { sniff: 0.2, handshake: 1.4, dial: 10.6 },
  counted: { up: 0, down: 0 },
  failure: undefined,
};

/** Its lines as text. */
type Posted = Omit<JournalBatch, "lines"> & { lines: string };

/** What a journal posts of what `act` does to it. */
function posted(
  act: (journal: Journal) => void,
  format: LogFormat = "json",
  connections = true,
): Posted[] {
  const batches: Posted[] = [];
  const journal = new Journal({ format, connections, layers: false }, (batch) => {
    batches.push({ ...batch, lines: new TextDecoder().decode(batch.lines) });
  });
  act(journal);
  journal.flush();
  return batches;
}

function written(format: LogFormat, entries: readonly JournalEntry[], connections = true): Posted[] {
  return posted((journal) => entries.forEach((entry) => journal.write(entry)), format, connections);
}

Deno.test("a line tells what there is to tell, the same in both formats, at the time of its end", () => {
  const [{ lines: json }] = written("json", [ENTRY]);
  const { time, level, event, ...facts } = JSON.parse(json);
  equal([time, level, event], ["2026-01-02T03:04:05.012Z", "info", "connection"]);
  equal(facts, {
    outcome: "ok",
    ms: 13,
    listener: "edge",
    peer: "[2001:db8::1]:4711",
    protocol: "socks",
    layers: "tls",
    target: "example.com:443",
    up: 10,
    down: 20,
    sniffMs: 0,
    handshakeMs: 1,
    dialMs: 11,
    id: 7,
  });
  equal(
    written("text", [ENTRY])[0].lines,
    "2026-01-02T03:04:05.012Z info  connection outcome=ok          ms=13    listener=edge   protocol=socks   " +
      "peer=[2001:db8::1]:4711    target=example.com:443 up=10 down=20 layers=tls sniffMs=0 handshakeMs=1 dialMs=11 " +
      "id=7\n",
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

Deno.test("every field of a connection's line is in the table of fields, with its type", () => {
  const failure = new GateError("timeout", "upstream", "Cannot go on");
  const { record } = ENTRY;
  const full: JournalEntry = {
    ...ENTRY,
    parent: 3,
    peer: { ...ENTRY.peer, serverName: "example.com", tlsVersion: "TLSv1.3", alpn: "h2" },
    record: { ...record, endpoint: "10.0.0.1:443", user: "alice" },
    route: "routes[0]",
    requests: 2,
    stages: { ...ENTRY.stages, resolve: 3 },
    failure,
  };
  const fields = Object.entries(JSON.parse(written("json", [full])[0].lines));
  equal(fields.length, 27);
  const text = written("text", [full])[0].lines;
  equal(fields.slice(3).map(([name]) => name), Array.from(text.matchAll(/ (\w+)=/g), ([, name]) => name));
  for (const [name, value] of fields) {
    ok(name in LOG_FIELDS, name);
    equal(typeof value, NUMBER_FIELDS.some((number) => number === name) ? "number" : "string", name);
  }
});

Deno.test("a fault of the gate is an error, and told where other connections are not", () => {
  const denied = { ...ENTRY, failure: new GateError("denied", "gate", "Cannot go on") };
  const fault = { ...ENTRY, failure: new GateError("internal", "gate", "Cannot go on") };
  const [{ lines, counts }] = written("json", [ENTRY, denied, fault], false);
  const [line, ...more] = lines.trimEnd().split("\n").map((text) => JSON.parse(text));
  equal([line.level, line.outcome, more.length, counts.length], ["error", "internal", 0, 3]);
  equal(JSON.parse(written("json", [denied])[0].lines).level, "info");
});

Deno.test("bytes that were told while a connection lived are not counted again at its end", () => {
  const [{ bytes, counts }] = posted((journal) => {
    journal.moved("edge", 4, 0);
    journal.write({ ...ENTRY, counted: { up: 4, down: 0 } });
    journal.moved("idle", 0, 0);
  });
  equal(bytes, [["edge", 10, 20]]);
  equal(counts.length, 1);
});

Deno.test("durations fall into the first bucket that holds them", () => {
  const [{ sniff, dial, lines, bytes }] = posted((journal) => {
    for (const ms of [0, 1, 1.1, 10_000, 10_001]) journal.sniffed(ms);
    journal.dialed(30);
  });
  const filled = (counts: readonly number[]) => [...counts.entries()].filter(([, count]) => count > 0);
  equal(sniff.sum, 20_002 + 1.1);
  equal(filled(sniff.counts), [[0, 2], [1, 1], [DURATIONS.length - 1, 1], [DURATIONS.length, 1]]);
  equal([filled(dial.counts), dial.sum], [[[DURATIONS.indexOf(50), 1]], 30]);
  equal([sniff.counts.length, lines, bytes], [DURATIONS.length + 1, "", []]);
});

Deno.test("a batch has what came since the one before, whatever of it there is, and only then", () => {
  const batches = posted((journal) => {
    journal.authFailed("edge", "socks");
    journal.authFailed("edge", "socks");
    journal.flush();
    journal.flush();
    journal.moved("edge", 1, 2);
    journal.flush();
    journal.dialed(3);
  });
  equal(batches.map(({ authFailures }) => authFailures), [[["edge\tsocks", 2]], [], []]);
  equal(batches.map(({ bytes }) => bytes), [[], [["edge", 1, 2]], []]);
  equal(batches.map(({ dial }) => dial.sum), [0, 0, 3]);
  equal(structuredClone(batches), batches);
});

Deno.test("a reload changes the form of the lines that follow", () => {
  const [{ lines, counts }] = posted((journal) => {
    journal.write(ENTRY);
    journal.configure({ format: "text", connections: true, layers: true });
    journal.write(ENTRY);
    journal.configure({ format: "text", connections: false, layers: false });
    journal.write(ENTRY);
  });
  const [json, text, ...more] = lines.trimEnd().split("\n");
  ok(json.startsWith("{") && text.includes(" connection outcome=ok "));
  equal([more, counts], [[], [["edge\tsocks\tok\t", 3]]]);
});

Deno.test("a layer around others has a line only where it failed, or at debug, and is counted in any case", () => {
  const layer = { ...ENTRY, isLayer: true };
  const failed = { ...layer, failure: new GateError("reset", "client", "Cannot go on") };
  const linesOf = (journal: Journal) => {
    for (const entry of [layer, failed, ENTRY]) journal.write(entry);
  };
  const [{ lines, counts }] = posted(linesOf);
  equal(lines.trimEnd().split("\n").map((line) => JSON.parse(line).outcome), ["reset", "ok"]);
  equal(counts, [["edge\tsocks\tok\t", 2], ["edge\tsocks\treset\tclient", 1]]);
  const [{ lines: all }] = posted((journal) => {
    journal.configure({ format: "json", connections: true, layers: true });
    linesOf(journal);
  });
  equal(all.trimEnd().split("\n").length, 3);
});

Deno.test("a peer is told with its port, where it has one", () => {
  const peer = { layers: [] };
  equal(peerText({ ...peer, address: "unix" }), "unix");
  equal(peerText({ ...peer, address: "192.0.2.1", port: 7 }), "192.0.2.1:7");
  equal(peerText({ ...peer, address: "2001:db8::1", port: 7 }), "[2001:db8::1]:7");
});

Deno.test("lines leave in batches, and nothing leaves when there is nothing", () => {
  equal(written("json", []), []);
  const batches = written("text", Array<JournalEntry>(10_000).fill(ENTRY));
  ok(batches.length > 1 && batches.length < 20, `${batches.length} batches`);
  equal(batches.map(({ lines }) => lines.split("\n").length - 1).reduce((a, b) => a + b), 10_000);
});
