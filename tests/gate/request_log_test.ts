import fc from "fast-check";
import type { RequestRecord } from "../../gate/requests.ts";
import { GateError } from "../../gate/errors.ts";
import { type Level, LOG_FIELDS, NUMBER_FIELDS } from "../../gate/log.ts";
import { LineBuffer } from "../../gate/line_buffer.ts";
import type { LogFormat } from "../../gate/log_line.ts";
import { ConnectionWords, logRequest, type RequestEntry } from "../../gate/request_log.ts";
import { equal, ok } from "../support/assert.ts";

const RECORD: RequestRecord = {
  ...{ method: "GET", host: "a.test", path: "/x", requestId: "f00", status: 200, retried: 1 },
  ...{ began: 0, waited: 1.6, up: 3, down: 4 },
};
const ENTRY: RequestEntry = {
  ...{ id: 7, parent: 3, listener: "web", protocol: "http", endpoint: "10.0.0.1:80", route: "routes[0]" },
  peer: { address: "2001:db8::1", port: 4711, user: "alice", serverName: "a.test", layers: ["tls"] },
  ...{ ended: Date.UTC(2026, 0, 2, 3, 4, 5), duration: 2.4, record: RECORD },
};

/** Without its newline. */
function requestLogLine(format: LogFormat, level: Level, entry: RequestEntry): string {
  const lines = new LineBuffer();
  logRequest(lines, format, level, entry);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(lines.take());
  ok(text.endsWith("\n"));
  return text.slice(0, -1);
}

Deno.test("a line of a request has every field there is to tell, in the order of the text form", () => {
  const failure = new GateError("timeout", "upstream", "Cannot go on: b", new Error("a"));
  const full = { ...RECORD, failure, user: "bob", client: "192.0.2.7" };
  for (const entry of [ENTRY, { ...ENTRY, record: full }]) {
    const json = JSON.parse(requestLogLine("json", "info", entry)),
      text = requestLogLine("text", "info", entry);
    const { time, level, event, ...facts } = json;
    equal([time, level, event], ["2026-01-02T03:04:05.000Z", "info", "request"]);
    const told = Object.entries(facts).map(([name, value]) => `${name}=${value}`.replace(/=.* .*/, "="));
    const names = Array.from(text.matchAll(/ (\w+)=/g), ([, name]) => name);
    equal(Object.keys(facts), names);
    for (const word of told) ok(text.includes(word), `${word} of ${text}`);
    for (const [name, value] of Object.entries(facts)) {
      ok(name in LOG_FIELDS, name);
      equal(typeof value, NUMBER_FIELDS.some((number) => number === name) ? "number" : "string", name);
    }
  }
});

Deno.test("what is not there is not told", () => {
  const record = { ...RECORD, host: "", requestId: "", status: 0, retried: 0, waited: undefined };
  const peer = { address: "unix", layers: [] };
  const line = requestLogLine("json", "info", {
    ...{ ...ENTRY, parent: undefined, endpoint: "", route: "", peer, record },
  });
  equal(
    line,
    '{"time":"2026-01-02T03:04:05.000Z","level":"info","event":"request","outcome":"ok","ms":2,"listener":"web",' +
      '"protocol":"http","peer":"unix","method":"GET","path":"/x","up":3,"down":4,"id":7}',
  );
});

Deno.test("whatever a client sent is one line of JSON that no terminal obeys, and reads as it was", () => {
  const sent = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.constantFrom('"', "\\", "\x9b", "\x7f"),
  );
  fc.assert(fc.property(sent, sent, sent, sent, (method, host, path, requestId) => {
    const line = requestLogLine("json", "info", {
      ...ENTRY,
      record: { ...RECORD, method, host, path, requestId },
    });
    const read = JSON.parse(line);
    equal([read.method ?? "", read.host ?? "", read.path ?? "", read.requestId ?? ""], [
      ...[method, host, path, requestId],
    ]);
    ok(!Array.from(line).some((sign) => sign < " " || (sign >= "\x7f" && sign < "\xa0")), line);
  }));
});

Deno.test("the words of a connection are those of each line", () => {
  equal(
    requestLogLine("json", "info", { ...ENTRY, words: new ConnectionWords(ENTRY) }),
    requestLogLine("json", "info", ENTRY),
  );
});
