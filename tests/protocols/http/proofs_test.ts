import { proofKey, Proofs } from "../../../protocols/http/proofs.ts";
import { equal, ok } from "../../support/assert.ts";

Deno.test("what was used least lately is forgotten first, and what is over is not known", () => {
  const proofs = new Proofs<{ readonly until: number; readonly name: string }>(2);
  const named = (name: string, until = Infinity) => ({ name, until });
  proofs.set("a", named("a"));
  proofs.set("b", named("b"));
  equal(proofs.get("a")?.name, "a");
  proofs.set("c", named("c"));
  equal(["a", "b", "c"].map((key) => proofs.get(key)?.name), ["a", undefined, "c"]);
  proofs.set("c", named("over", Date.now()));
  equal([proofs.get("c"), proofs.get("c")], [undefined, undefined]);
});

Deno.test("a key is of all that it may depend on, and of nothing that was hashed before", () => {
  const long = proofKey("1", "x".repeat(20_000));
  const keys = [["1", "a"], ["1", "b"], ["2", "a"], ["1 192.0.2.1", "a"], ["1", ""], ["1", "\xff"]] as const;
  const all = keys.map(([where, value]) => proofKey(where, value));
  equal(new Set([...all, long]).size, 7);
  equal(keys.map(([where, value]) => proofKey(where, value)), all);
  ok(all.every((key) => key.length === 64));
});
