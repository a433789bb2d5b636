/** Each message of the corpus, whole and in pieces. */
import fc from "fast-check";
import { equal, ok } from "../../support/assert.ts";
import { latin1, pass, Passage, type Passed, type Role } from "../../support/http_codec.ts";
import type { Case, Expected } from "./corpus/case.ts";
import { CONTENTS } from "./corpus/contents.ts";
import { FIELDS } from "./corpus/fields.ts";
import { FIRST_LINES } from "./corpus/first_lines.ts";

const CHAPTERS = [...FIRST_LINES, ...FIELDS, ...CONTENTS];
const ALL = CHAPTERS.flatMap(({ role, cases }) => cases.map((one) => ({ role, one })));

const isGood = ({ role, one }: typeof ALL[number]): boolean =>
  role === "client" && typeof one[2] !== "number";

function expectedOf(bytes: string, expected: Expected): Omit<Passed, "why"> {
  if (expected === "same") return { on: bytes };
  if (typeof expected === "number") return { on: "", refused: expected };
  return typeof expected === "string" ? { on: expected } : expected;
}

function withoutWhy({ why: _, ...passed }: Passed): Omit<Passed, "why"> {
  return passed;
}

function judge(role: Role, [name, bytes, expected]: Case): void {
  const passed = pass(role, bytes);
  equal(withoutWhy(passed), expectedOf(bytes, expected), `${role}: ${name} (${passed.why ?? "not refused"})`);
}

/** The same as of the whole; what waits for a line end, before it is looked at again, after one. */
function alike(passage: Passage, role: Role, text: string, place: string): void {
  let whole = pass(role, text);
  if (passage.waiting.length > 0 && whole.refused) {
    passage.feed(latin1("\n"));
    whole = pass(role, `${text}\n`);
  }
  equal(passage.passed, whole, place);
}

Deno.test("of each message of the corpus goes on what should, and the rest is refused", () => {
  ok(ALL.length >= 200, `only ${ALL.length} cases`);
  const names = ALL.map(({ role, one }) => `${role}: ${one[0]}`);
  equal(names.filter((name, at) => names.indexOf(name) !== at), []);
  for (const { role, one } of ALL) judge(role, one);
});

Deno.test("a message in any two pieces, or octet by octet, fares as it does whole", () => {
  for (const { role, one: [name, text] } of ALL) {
    const bytes = latin1(text);
    for (let first = 1; first < bytes.length; first += bytes.length > 600 ? 97 : 1) {
      const passage = new Passage(role);
      passage.feed(bytes.subarray(0, first));
      passage.feed(bytes.subarray(first));
      alike(passage, role, text, `${role}: ${name}, cut at ${first}`);
    }
    const passage = new Passage(role);
    for (const octet of bytes) passage.feed(Uint8Array.of(octet));
    alike(passage, role, text, `${role}: ${name}, octet by octet`);
  }
});

Deno.test("messages behind each other, in pieces of any size, fare as they do in one", () => {
  const cut = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 30 });
  const some = fc.array(fc.constantFrom(...ALL.filter(isGood)), { maxLength: 5 });
  fc.assert(
    fc.property(some, cut, (cases, cuts) => {
      const text = cases.map(({ one }) => one[1]).join(""), bytes = latin1(text);
      const passage = new Passage("client");
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const next = at + cuts[i % cuts.length];
        passage.feed(bytes.subarray(at, next));
        at = next;
      }
      alike(passage, "client", text, "in pieces");
    }),
    { numRuns: 300 },
  );
});
