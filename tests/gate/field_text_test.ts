import { isFieldText } from "../../gate/field_text.ts";
import { equal } from "../support/assert.ts";

Deno.test("a name is told upstream only where every reader reads the same one", () => {
  const told = ["alice", "a b", "müller", "spiffe://a/b", "x,y", 'a"b', "a".repeat(1024)];
  const refused = ["", " a", "a ", "a\tb", "a\r\nb", "a\0", "\x7f", "\u0085", "\u00a0a", "a\u3000", "\ud800"];
  equal(told.filter((name) => !isFieldText(name)), []);
  equal(refused.filter(isFieldText), []);
  equal(isFieldText("ä".repeat(513)), false);
});
