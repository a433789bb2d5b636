/** Texts that would take long: refused for what they are, or read by look-ups. Nothing here asserts a time. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

/** The lines of the message; none: it is right. */
async function problemsOf(text: string): Promise<string[]> {
  const loaded = parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, { get: () => undefined });
  const error = await loaded.then(() => undefined, (error) => error);
  if (error !== undefined && !(error instanceof ConfigurationError)) throw error;
  return error?.message.split("\n") ?? [];
}

Deno.test("10 MB, alias bombs, deep nests and long words are refused for what they are", async () => {
  const bomb = Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(i && 9)}1]`);
  const chain = Array.from({ length: 3000 }, (_, i) => `a${i}: &a${i} [${i ? `*a${i - 1}` : ""}]`);
  const hostile = [
    ["a: b\n".repeat(2_000_000), /^ugate\.yaml: expected at most 1 MiB of configuration$/],
    [bomb.join("\n"), /^ugate\.yaml:[0-9]+:[0-9]+ a[0-9]+.*: aliases stand for too many values$/],
    [chain.join("\n"), /^ugate\.yaml:[0-9]+:[0-9]+ a[0-9]+.*: nested more than 32 deep$/],
    ["admin: &a { address: *a }", /an alias without an anchor before it/],
    ["[".repeat(100_000), /^ugate\.yaml:1:33: nested more than 32 deep$/],
    [
      `listeners: ${"a".repeat(1_000_000)}`,
      /^ugate\.yaml:1:12 listeners: expected a map of names, got "a{60}\.\.\."$/,
    ],
    [`listeners: ${"a:".repeat(500_000)}b`, /listeners: expected a map of names, got "(a:){30}\.\.\."$/],
    [`listeners: ${"a@".repeat(500_000)}b`, /listeners: expected a map of names, got "(a@){30}\.\.\."$/],
  ] as const;
  for (const [text, sentence] of hostile) {
    const problems = await problemsOf(text);
    equal([problems.length, sentence.test(problems[0])], [1, true], problems[0]);
  }
});

Deno.test("a file of mistakes is read up to the two hundredth", async () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `key${i}: 1`).join("\n");
  const problems = await problemsOf(names);
  equal(problems.length, 101);
  equal(problems[0].startsWith("ugate.yaml:1:1 key0: unknown key"), true, problems[0]);
  equal(problems[100], "and 100 more");
  const twice = await problemsOf("key: 1\n".repeat(20_000));
  equal([twice.length, twice[100]], [101, "and 100 more"]);
});

Deno.test("thousands of listeners, routes and rules are held against each other by look-ups", async () => {
  const many = (line: (i: number) => string) =>
    Array.from({ length: 2500 }, (_, i) => `  ${line(i)}`).join("\n");
  equal(
    await problemsOf(`listeners:
${many((i) => `l${i}: { address: "127.0.${i >> 8}.${i & 255}:443", protocols: [tls] }`)}
routes:
${many((i) => `- { host: h${i}.example, to: "x:1" }`)}
`),
    [],
  );
});
