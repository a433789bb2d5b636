import fc from "fast-check";
import type { Fields } from "../../gate/log.ts";
import { logFormat, messageLine, recordLine } from "../../gate/log_line.ts";
import { equal, ok } from "../support/assert.ts";

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const RECORD: Fields = {
  outcome: "ok",
  ms: 13,
  listener: "edge",
  peer: "192.0.2.1:4711",
  user: "a b",
  up: 5,
};

Deno.test("a message is its sentence in text, and data in JSON", () => {
  const message = {
    level: "warn",
    event: "limit",
    text: "limit perSource was hit once",
    fields: { limit: "perSource", times: 1 },
  } as const;
  equal(
    messageLine("text", message, TIME),
    "2026-01-02T03:04:05.006Z warn  limit      limit perSource was hit once\n",
  );
  equal(JSON.parse(messageLine("json", message, TIME)), {
    time: "2026-01-02T03:04:05.006Z",
    level: "warn",
    event: "limit",
    message: "limit perSource was hit once",
    limit: "perSource",
    times: 1,
  });
});

Deno.test("the columns that nearly every connection has stand below each other", () => {
  const lines = [
    recordLine("text", "info", TIME, RECORD),
    recordLine("text", "info", TIME, { ...RECORD, outcome: "unreachable", ms: 10_000, peer: "unix" }),
  ];
  equal(
    lines[0],
    "2026-01-02T03:04:05.006Z info  connection outcome=ok          ms=13    listener=edge   " +
      'peer=192.0.2.1:4711        user="a b" up=5',
  );
  for (const name of ["ms=", "listener=", "peer=", "user="]) {
    equal(lines[0].indexOf(name), lines[1].indexOf(name), name);
  }
});

Deno.test("colors change nothing but colors", () => {
  const sgr = new RegExp("\x1b\\[[0-9]+m", "g");
  const message = { level: "error", event: "fault", text: "Cannot go on" } as const;
  for (const outcome of ["ok", "reset"]) {
    const record = { ...RECORD, outcome };
    const colored = recordLine("colored", "info", TIME, record);
    ok(colored.includes(`\x1b[${outcome === "ok" ? 32 : 33}moutcome=${outcome}`), JSON.stringify(colored));
    equal(colored.replace(sgr, ""), recordLine("text", "info", TIME, record));
  }
  const colored = messageLine("colored", message, TIME);
  ok(colored.includes("\x1b[31merror"), JSON.stringify(colored));
  equal(colored.replace(sgr, ""), messageLine("text", message, TIME));
});

Deno.test("a message forges no line, and no terminal obeys it", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
    const message = { level: "error", event: "fault", text: `${a}\n2026-01-02 b\r\x1b[2J\x9b${b}` } as const;
    const lines = messageLine("text", message, TIME).slice(0, -1).split("\n");
    ok(lines.slice(1).every((line) => line.startsWith("    ")));
    // deno-lint-ignore no-control-regex
    ok(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(lines.join("")));
    const json = messageLine("json", message, TIME);
    equal(json.split("\n").length, 2);
    equal(JSON.parse(json).message, message.text);
  }));
});

Deno.test("auto is text on a terminal and JSON elsewhere, and color is for terminals that want it", () => {
  const on = (terminal: boolean, colors = true) => ({ terminal, colors });
  equal(logFormat("auto", on(true)), "colored");
  equal(logFormat("auto", on(true, false)), "text");
  equal(logFormat("auto", on(false)), "json");
  equal(logFormat("text", on(false)), "text");
  equal(logFormat("text", on(true)), "colored");
  equal(logFormat("json", on(true)), "json");
});
