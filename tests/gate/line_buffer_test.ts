import fc from "fast-check";
import { LineBuffer } from "../../gate/line_buffer.ts";
import { jsonText } from "../../gate/log_line.ts";
import { equal } from "../support/assert.ts";

const taken = (lines: LineBuffer): string => new TextDecoder("utf-8", { fatal: true }).decode(lines.take());

Deno.test("what is put together is taken as it was put, once, however much it is", () => {
  const lines = new LineBuffer(), long = "é€𝄞".repeat(50_000);
  const octets = new TextEncoder().encode(long);
  for (let round = 0; round < 3; round++) {
    lines.text("a").put(octets).text(long).number(0).json("x").put(octets);
    equal(lines.size, 3 * octets.length + 5);
    equal(taken(lines), `a${long}${long}0"x"${long}`);
    equal([lines.size, taken(lines)], [0, ""]);
  }
});

Deno.test("numbers are their decimal digits, and texts their JSON that no terminal obeys", () => {
  const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.double(), fc.constantFrom(9, 10, 99, 100, -1));
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", "\x7f", "\ud800"),
  );
  fc.assert(fc.property(number, text, (value, said) => {
    equal(taken(new LineBuffer().number(value).json(said)), String(value) + jsonText(said));
  }));
});
