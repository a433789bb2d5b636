import { readRetryAfter, reasonOf } from "../../../gate/acme/authority.ts";
import { equal } from "../../support/assert.ts";

Deno.test("Retry-After is seconds or a date, and nothing else is believed", () => {
  const now = Date.UTC(2026, 0, 1);
  const read = (value: unknown) => readRetryAfter(value, now);
  equal([read("120"), read("Thu, 01 Jan 2026 00:01:00 GMT"), read("Wed, 31 Dec 2025 00:00:00 GMT")], [
    120_000,
    60_000,
    0,
  ]);
  equal([read(undefined), read(""), read("soon"), read("99999999999")].map((ms) => ms === undefined), [
    true,
    true,
    true,
    true,
  ]);
});

Deno.test("what an authority says is one short line", () => {
  equal(reasonOf(new Error("a\r\nb\x1b[2Jc\td")), "a b [2Jc d");
  equal(reasonOf(new Error("x".repeat(1000))).length, 500);
  equal([reasonOf("text"), reasonOf(new TypeError())], ["text", "TypeError"]);
});
