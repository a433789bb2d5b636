/** What bounds the reading of a text, whatever it is. */
import { Composer, Parser } from "yaml";
import { MOST_FAULTS, MOST_TOKENS, readYaml } from "../../../gate/config/yaml.ts";
import { equal, ok, throws } from "../../support/assert.ts";

const INDICATORS = Array.from("\"'[]{},:-?|>!&*#%@`\\\t\r\n a");

function faultsOf(text: string): readonly { message: string; at?: { line: number; col: number } }[] {
  const reading = readYaml(text);
  return "faults" in reading ? reading.faults : [];
}

Deno.test("50,000 of any indicator have at most twenty mistakes", () => {
  for (const sign of INDICATORS) {
    const faults = faultsOf(sign.repeat(50_000));
    ok(faults.length <= MOST_FAULTS, `${JSON.stringify(sign)}: ${faults.length}`);
    ok(faults.every(({ at, message }) => at !== undefined && message !== ""), JSON.stringify(sign));
  }
  equal(faultsOf('"'.repeat(50_000)).length, MOST_FAULTS);
  equal(faultsOf("]".repeat(50_000)).length, MOST_FAULTS);
});

Deno.test("of two indicators in turn, too", () => {
  for (const one of INDICATORS) {
    for (const other of INDICATORS) {
      const faults = faultsOf((one + other).repeat(1000));
      ok(faults.length <= MOST_FAULTS, `${JSON.stringify(one + other)}: ${faults.length}`);
    }
  }
});

Deno.test("the mistakes that are told are the first, each with its place", () => {
  const [first, second, ...others] = faultsOf('"\\q\n  \\q"' + " x".repeat(100));
  equal([first.at, second.at, others.length > 0], [{ line: 1, col: 2 }, { line: 2, col: 3 }, true]);
  equal(
    faultsOf(`"${"\\q".repeat(100_000)}"`).map(({ at }) => at?.col),
    Array.from({ length: 20 }, (_, i) => 2 + 2 * i),
  );
});

Deno.test("the composer asks at each mistake whether to go on: reading ends with the last that is told", () => {
  const composer = new Composer();
  let told = 0;
  composer["onError"] = () => {
    told++;
    throw new Error("enough");
  };
  throws(() => Array.from(composer.compose(new Parser().parse('"\\q\\q\\q"'))), /enough/);
  equal(told, 1);
});

Deno.test("more words and signs than a large configuration has are not parsed", () => {
  const more = faultsOf("- a\n".repeat(MOST_TOKENS / 4));
  equal(more, [{ message: `expected at most ${MOST_TOKENS} words and signs, got more` }]);
});

Deno.test("what is nested too deep is not composed, in brackets, by indentation and inside one line", () => {
  const indented = Array.from({ length: 1400 }, (_, i) => `${" ".repeat(i)}a:\n`).join("");
  const inLines = Array.from({ length: 100 }, (_, i) => `${" ".repeat(60 * i)}${"- ".repeat(30)}\n`).join("");
  const inside = ["[", "{a: ", "- ", "? "].map((sign) => sign.repeat(20_000));
  const deep = [...inside, indented, inLines];
  for (const text of deep) {
    equal(faultsOf(text).map(({ message }) => message), ["nested more than 32 deep"], text.slice(0, 20));
  }
  for (const [open, close] of [["[", "]"], ["{a: ", "}"]]) {
    equal(faultsOf(open.repeat(31) + "1" + close.repeat(31)), []);
    equal(faultsOf(open.repeat(33) + "1" + close.repeat(33)).length, 1);
  }
});

Deno.test("tags that compare each item with each other are not known", () => {
  const omap = `!!omap [${Array.from({ length: 1000 }, (_, i) => `a${i}: 1`).join(", ")}]`;
  for (const text of [omap, `%YAML 1.1\n---\n${omap}`, "!!set {a, b}", "!!binary aGVsbG8="]) {
    equal(faultsOf(text).map(({ message }) => /^a tag/.test(message)), [true], text.slice(0, 20));
  }
});

Deno.test("a second document ends the reading", () => {
  const faults = faultsOf("a: 1\n" + "---\na: ]\n".repeat(10_000));
  equal(faults, [{ message: "expected one YAML document, got another after ---", at: { line: 2, col: 1 } }]);
});
