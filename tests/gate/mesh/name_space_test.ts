import { formatTarget, parseTarget } from "../../../gate/address.ts";
import { compareNames } from "../../../gate/mesh/name_space.ts";
import { equal } from "../../support/assert.ts";

Deno.test("names that somebody chose come first, then those of keys, each by name and port", () => {
  const id = "a".repeat(52);
  const names = [`${id}.m:80`, "pi.m:443", `${id}.m:22`, "db.m:5432", "pi.m:22"];
  const sorted = names.map((name) => parseTarget(name)!).sort(compareNames).map(formatTarget);
  equal(sorted, ["db.m:5432", "pi.m:22", "pi.m:443", `${id}.m:22`, `${id}.m:80`]);
});
