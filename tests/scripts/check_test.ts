import { forbidden } from "../../scripts/check.ts";
import { circles, importsOf } from "../../scripts/lint/circles.ts";
import { equal } from "../support/assert.ts";

Deno.test("imports of values are found in every form, those of types and packages are not", () => {
  const text = [
    `import { a, type B } from "./a.ts";`,
    `import {`,
    `  long,`,
    `} from "../long.ts";`,
    `export * from "./all.ts";`,
    `export { c } from "./c.ts";`,
    `import "./effect.ts";`,
    `import type { T } from "./type.ts";`,
    `export type { U } from "./type.ts";`,
    `import { z } from "zod";`,
    `const s = 'import { x } from "./string.ts"';`,
    `export const v = 1;`,
    `const from = "./no.ts";`,
  ].join("\n");
  equal(importsOf("gate/x.ts", text), ["gate/a.ts", "long.ts", "gate/all.ts", "gate/c.ts", "gate/effect.ts"]);
});

Deno.test("a circle is told once, from its first file on", () => {
  const graph = new Map([["c", ["a"]], ["a", ["b", "d"]], ["b", ["c"]], ["d", []], ["e", ["e"]]]);
  equal(circles(graph), [["a", "b", "c", "a"], ["e", "e"]]);
});

Deno.test("a graph without circles has none, also where ways meet again", () => {
  equal(circles(new Map([["a", ["b", "c"]], ["b", ["d"]], ["c", ["d"]], ["d", []]])), []);
});

Deno.test("forbidden words are found with their place", () => {
  const marker = "TO" + "DO", silenced = "// deno-lint-ignore no-explicit-" + "any";
  const text = `const a = 1;\n// ${marker}: later\n${silenced}\nconst many = "as any other";`;
  equal(forbidden(new Map([["x.ts", text]])), [`x.ts:2: // ${marker}: later`, `x.ts:3: ${silenced}`]);
});
