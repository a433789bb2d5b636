import { need } from "../../scripts/clients.ts";
import { Journal } from "../../gate/journal.ts";
import { messageLine } from "../../gate/log_line.ts";
import { Throttle, type Throttled, throttledMessage } from "../../gate/throttle.ts";
import { equal, ok } from "../support/assert.ts";
import { run } from "../support/child.ts";
import { fileAt } from "../support/operating.ts";

const FILTER = fileAt("/etc/fail2ban/filter.d/ugate.conf");
const SOURCES = ["203.0.113.9", "2001:db8::9"];
const FORMATS = ["text", "json"] as const;

function fails(throttle: Throttle, times: number, source = "192.0.2.1"): (number | undefined)[] {
  return Array.from({ length: times }, () => throttle.fail(source));
}

Deno.test("the tenth wrong password is told, with how many there were, and no other of the same minute", () => {
  let now = 0;
  const throttle = new Throttle(() => now);
  equal(fails(throttle, 10), [...Array(9).fill(undefined), 10]);
  equal(fails(throttle, 1, "192.0.2.2"), [undefined]);
  for (let i = 1; i < 20; i++) {
    now = i * 3000;
    ok(throttle.admits("192.0.2.1"));
    equal(fails(throttle, 1), [undefined]);
    ok(!throttle.admits("192.0.2.1"));
  }
  now = 60_000;
  equal(fails(throttle, 1), [20]);
});

Deno.test("a source that waited long enough is told again after ten more", () => {
  let now = 0;
  const throttle = new Throttle(() => now);
  equal(fails(throttle, 10).at(-1), 10);
  now = 60_000;
  equal(fails(throttle, 10), [...Array(9).fill(undefined), 10]);
});

Deno.test("attempts that run hold a source back, and are told only if they were wrong", () => {
  const throttle = new Throttle(() => 0);
  const attempts = Array.from({ length: 10 }, () => throttle.attempt("192.0.2.1"));
  ok(!throttle.admits("192.0.2.1"));
  for (const attempt of attempts) attempt[Symbol.dispose]();
  ok(throttle.admits("192.0.2.1"));
  equal(fails(throttle, 9), Array(9).fill(undefined));
});

Deno.test("clients on unix sockets have no source, and are neither held back nor told", () => {
  const throttle = new Throttle(() => 0);
  equal(fails(throttle, 30, "unix"), Array(30).fill(undefined));
  ok(throttle.admits("unix"));
});

Deno.test("ten thousand sources are remembered, the least recent ones forgotten", () => {
  const throttle = new Throttle(() => 0);
  fails(throttle, 10, "192.0.2.1");
  for (let i = 0; i < 10_000; i++) throttle.fail(`10.0.${i >> 8}.${i & 255}`);
  ok(throttle.admits("192.0.2.1"));
});

const lineOf = (source: string, format: "text" | "json") => {
  const throttled: Throttled = { source, listener: "proxy", protocol: "socks", failures: 10 };
  return messageLine(format, throttledMessage(throttled));
};

/** A connection whose target tries to be such a line. */
function forged(format: "text" | "json"): string {
  let lines = "";
  const journal = new Journal({ format, connections: true, layers: true }, (batch) => {
    lines += new TextDecoder().decode(batch.lines);
  });
  for (const target of SOURCES.flatMap((source) => [lineOf(source, "text"), lineOf(source, "json")])) {
    journal.write({
      id: 1,
      listener: "proxy",
      peer: { address: "198.51.100.1", port: 7, layers: [] },
      record: { protocol: "socks", target, endpoint: "", user: "", up: 0, down: 0 },
      began: Date.now(),
      duration: 1,
      stages: {},
      counted: { up: 0, down: 0 },
      failure: undefined,
    });
  }
  journal.flush();
  return lines;
}

/** As systemd's journal gives a line to fail2ban. */
const inJournal = (lines: string) => lines.replace(/^(?=.)/gm, "host ugate[123]: ");

Deno.test("a throttled source is data in JSON", () => {
  const { level, event, source, listener, protocol, failures } = JSON.parse(lineOf(SOURCES[0], "json"));
  equal([level, event, source, listener, protocol, failures], [
    ...["warn", "auth-throttled", SOURCES[0], "proxy", "socks", 10],
  ]);
});

Deno.test("the filter of docs/operating.md finds the source in both formats, and no client can forge one", () => {
  const [, begin] = /^begin = (.*)$/m.exec(FILTER)!;
  const filters = [...FILTER.matchAll(/^(?:failregex =| {12}) *(<begin>.*)$/gm)].map(([, regex]) =>
    new RegExp(regex.replace("<begin>", begin).replace("<ADDR>", "(?<source>[0-9a-f.:]+)"))
  );
  equal(filters.length, 2);
  const found = (line: string) => filters.flatMap((filter) => filter.exec(line)?.groups?.source ?? []);
  for (const format of FORMATS) {
    for (const source of SOURCES) {
      equal(found(lineOf(source, format)), [source]);
      equal(found(inJournal(lineOf(source, format))), [source]);
    }
    for (const line of forged(format).split("\n")) equal([found(line), found(inJournal(line))], [[], []]);
  }
});

Deno.test({
  name: "fail2ban itself finds the sources, in files and in the journal's form, and no forged one",
  ignore: !need("fail2ban-regex"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const real = FORMATS.flatMap((format) => SOURCES.map((source) => lineOf(source, format))).join("");
      const lies = FORMATS.map(forged).join("");
      await Deno.writeTextFile(`${folder}/ugate.conf`, FILTER);
      await Deno.writeTextFile(`${folder}/log`, [real, inJournal(real), lies, inJournal(lies)].join(""));
      const { code, stdout, stderr } = await run("fail2ban-regex", [
        ...["--out", "ip", `${folder}/log`, `${folder}/ugate.conf`],
      ]);
      equal(code, 0, stderr);
      equal(stdout.trim().split("\n"), Array(4).fill(SOURCES).flat());
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
