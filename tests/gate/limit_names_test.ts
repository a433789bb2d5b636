import { LIMIT_NAMES } from "../../gate/errors.ts";
import { equal } from "../support/assert.ts";
import { tableUnder } from "../support/operating.ts";

Deno.test("docs/operating.md tells of every limit that is counted, and of no other", () => {
  const told = tableUnder("Limits that are counted").map(([name]) => name.replaceAll("`", ""));
  equal(told.sort(), [...LIMIT_NAMES].sort());
});
