import fc from "fast-check";
import { asOctets, queryParameter } from "../../gate/request_query.ts";
import { equal } from "../support/assert.ts";

Deno.test("parameters are decoded, and the first of a name counts", () => {
  const table: [query: string, parameters: Record<string, string>][] = [
    ["", {}],
    ["a=1&b=2&a=3", { a: "1", b: "2" }],
    ["a", { a: "" }],
    ["a=&=b&&c", { a: "", "": "b", c: "" }],
    ["a+b=c+d%20e", { "a b": "c d e" }],
    ["%61=%2B%26", { a: "+&" }],
    ["a=b=c", { a: "b=c" }],
    ["a=%zz%4", { a: "%zz%4" }],
    ["n=%C3%A9", { n: asOctets("é") }],
    ["__proto__=x", Object.fromEntries([["__proto__", "x"]])],
  ];
  for (const [query, parameters] of table) {
    for (const [name, value] of Object.entries(parameters)) equal(queryParameter(query, name), value, query);
    equal(queryParameter(query, "absent"), undefined);
  }
});

Deno.test("parameters are what URLSearchParams reads", () => {
  const piece = fc.constantFrom("a", "b", "=", "&", "+", "%41", "%c3%a9", "%zz", "%g", "1");
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const query = pieces.join(""), expected = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(`&${query}`)) {
      const key = asOctets(name);
      if (!expected.has(key)) expected.set(key, asOctets(value));
    }
    for (
      const name of ["", "a", "b", "A", "ab", "a b", " ", "%zz", "%g", "1", "\xc3\xa9", ...expected.keys()]
    ) {
      equal(queryParameter(query, name), expected.get(name), JSON.stringify([query, name]));
    }
  }));
});
