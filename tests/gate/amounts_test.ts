import { bytesText, clockText, countText, spanText } from "../../gate/amounts.ts";
import { equal } from "../support/assert.ts";

Deno.test("bytes and counts have at most four digits and a unit", () => {
  equal([0, 1, 1023, 1024, 1536, 10_239, 1024 ** 2 - 1, 2.5 * 1024 ** 3, 300 * 1024 ** 4].map(bytesText), [
    "0B",
    "1B",
    "1023B",
    "1KiB",
    "1.5KiB",
    "10.0KiB",
    "1.0MiB",
    "2.5GiB",
    "300TiB",
  ]);
  equal([0, 0.42, 17, 999, 1000, 12_345, 2_000_000].map(countText), [
    "0",
    "0.4",
    "17",
    "999",
    "1k",
    "12.3k",
    "2M",
  ]);
});

Deno.test("spans have two units, and a clock that went back is no negative age", () => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  equal(
    [-5, 0, 42 * second, minute - 1, 2 * minute + 10 * second, 3 * hour + 5 * minute, 4 * day + 3 * hour].map(
      spanText,
    ),
    [
      "0s",
      "0s",
      "42s",
      "59s",
      "2m10s",
      "3h05m",
      "4d03h",
    ],
  );
});

Deno.test("a time of another day has its date", () => {
  const now = new Date(2026, 2, 1, 20, 0, 0);
  equal(clockText(new Date(2026, 2, 1, 4, 5, 6), now), "04:05:06");
  equal(clockText(new Date(2026, 1, 28, 4, 5, 6), now), "2026-02-28 04:05:06");
});
