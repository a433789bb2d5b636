import fc from "fast-check";
import { regexFault } from "../../gate/config/regex_check.ts";
import { Regex } from "../../gate/regex.ts";
import { RegexError } from "../../gate/regex_syntax.ts";
import { equal, ok } from "../support/assert.ts";

/** Patterns of which both engines hold the same; deep enough for loops in loops, and alternatives of nothing. */
const { pattern } = fc.letrec<{ pattern: string; part: string; atom: string }>((tie) => ({
  pattern: fc.array(fc.array(tie("part"), { maxLength: 3 }), { minLength: 1, maxLength: 3 })
    .map((ways) => ways.map((parts) => parts.join("")).join("|")),
  part: fc.oneof(
    { weight: 3, arbitrary: tie("atom") },
    {
      weight: 2,
      arbitrary: fc.tuple(
        tie("atom"),
        fc.constantFrom("*", "+", "?", "*?", "+?", "{2}", "{0}", "{1,}", "{0,2}", "{1,3}?"),
      ).map(([atom, times]) => /^[$^]$/.test(atom) ? atom : atom + times),
    },
  ),
  atom: fc.oneof(
    { maxDepth: 4, depthIdentifier: "regex" },
    fc.constantFrom("a", "b", "/", "0", ".", "^", "$", "\\d", "\\w", "\\D", "\\.", "\\/", "\\-"),
    fc.constantFrom("[ab]", "[^a]", "[a-b0]", "[^/]", "[\\d/]", "[-a]", "[a-]", "[.*]", "[\\]a]", "[^\\w]"),
    fc.tuple(fc.constantFrom("(", "(?:"), tie("pattern")).map(([open, inner]) => `${open}${inner})`),
  ),
}));
const text = fc.array(fc.constantFrom("a", "b", "c", "/", "0", ".", "-", "]"), { maxLength: 8 })
  .map((signs) => signs.join(""));

Deno.test("an expression matches what RegExp matches", () => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 6 }), (source, texts) => {
      let regex: Regex;
      try {
        regex = new Regex(source);
      } catch (thrown) {
        ok(thrown instanceof RegexError);
        fc.pre(false); // more steps than are allowed
        return;
      }
      const expected = new RegExp(source);
      for (const each of texts) equal(regex.test(each), expected.test(each), `/${source}/ of ${each}`);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("expressions as routes have them", () => {
  const table: [pattern: string, yes: string[], no: string[]][] = [
    ["^/v[0-9]+/", ["/v1/", "/v12/x"], ["/v/", "/v1", "/x/v1/"]],
    ["\\.(png|jpe?g)$", ["/a.png", "/b/c.jpeg", "/.jpg"], ["/a.png/", "/apng", "/a.PNG"]],
    ["^/users/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", [
      "/users/123e4567-e89b-12d3-a456-426614174000",
    ], ["/users/123e4567-e89b-12d3-a456-42661417400", "/users/123e4567e89b12d3a456426614174000"]],
    ["^/(?:en|de)?(/|$)", ["/", "/en", "/de/x", "//"], ["/fr"]],
    ["admin", ["/admin", "/x/administrator"], ["/adm"]],
  ];
  for (const [source, yes, no] of table) {
    equal(regexFault(source), undefined, source);
    const regex = new Regex(source);
    for (const path of yes) ok(regex.test(path), `${source} of ${path}`);
    for (const path of no) ok(!regex.test(path), `${source} of ${path}`);
  }
});

Deno.test("what a backtracking engine would take ages for takes one step for each character", () => {
  const long = "a".repeat(60_000);
  for (const source of ["^/(a+)+$", "^/(a|a)*b$", "^/(a*)*(a*)*(a*)*c", "^/(.*a){12}x", "(/|a)*(a|/)*$b"]) {
    const regex = new Regex(source);
    equal(regex.test(`/${long}!`), false, source);
  }
  ok(new Regex("^/(a+)+$").test(`/${long}`));
});

Deno.test("characters that no path has are nothing that was asked for, but something", () => {
  const regex = new Regex("^/[^a]$");
  ok(regex.test("/\u00e9") && regex.test("/\u20ac") && !regex.test("/a"));
  ok(!new Regex("^/\\w$").test("/\u00e9"));
});

/** What is no expression: where, and why. */
const FAULTS: readonly (readonly [pattern: string, column: number, state: RegExp])[] = [
  ["^/a(b", 4, /a \( without its \)/],
  ["^/a)b", 4, /a \) without its \(/],
  ["^/[ab", 3, /a \[ without its \]/],
  ["^/a[]", 4, /no character between/],
  ["^/[[:alpha:]]", 4, /a \[ inside of/],
  ["^/a]", 4, /write \\\]/],
  ["^/a}", 4, /write \\\}/],
  ["^/a{x}", 4, /begins no repetition/],
  ["^/a{3,2}", 4, /from more to less/],
  ["^/a**", 5, /repeats nothing/],
  ["*", 1, /repeats nothing/],
  ["^*", 2, /repeats no character/],
  ["^/(?=a)", 3, /a lookahead/],
  ["^/(?!a)", 3, /a lookahead/],
  ["^/(?<=a)b", 3, /a lookbehind/],
  ["^/(?<name>a)", 3, /a group other/],
  ["^/(?i)a", 3, /a group other/],
  ["^/(a)\\1", 6, /a backreference/],
  ["^/a\\b", 4, /a word boundary/],
  ["^/\\x41", 3, /the escape \\x/],
  ["^/a\\", 4, /ends with a backslash/],
  ["^/[b-a]", 4, /a range that ends before/],
  ["^/[a-\\d]", 4, /a range/],
  ["^/a b", 4, /a character that no path has/],
  ["^/\u00e9", 3, /percent-encoded/],
  [`^/${"(".repeat(60)}`, 53, /deeper than 50/],
  [`^/${"a".repeat(1000)}`, 1001, /1000 are the most/],
  ["^/(a{100}){100}", 1, /more than 1000 steps/],
  ["^/((((){1000}){1000}){1000}){1000}", 1, /more than 1000 steps/],
];

Deno.test("what is no expression is told with the column of the mistake", () => {
  for (const [source, column, state] of FAULTS) {
    const fault = regexFault(source) ?? "";
    ok(fault.startsWith(`column ${column} `) && state.test(fault), `${source}: ${fault}`);
  }
});

Deno.test("an expression of too many states, and one that matches no path, are mistakes", () => {
  ok(/500 states/.test(regexFault("^/.*a.{12}$") ?? ""));
  ok(/begins with \//.test(regexFault("^v1/") ?? ""));
  ok(/begins with \//.test(regexFault("$/a") ?? ""));
  ok(/something/.test(regexFault("") ?? ""));
  equal(regexFault("^/.*a.{5}$"), undefined);
});

Deno.test("no text makes the parser throw anything but its mistake", () => {
  const signs = fc.constantFrom(..."ab/^$.*+?{}[]()|\\-,019dws:=!<");
  fc.assert(
    fc.property(fc.array(signs, { maxLength: 20 }), (some) => void regexFault(some.join(""))),
    { numRuns: 3000 },
  );
});
