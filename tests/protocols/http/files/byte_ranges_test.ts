import { byteRanges } from "../../../../protocols/http/files/byte_ranges.ts";
import { equal } from "../../../support/assert.ts";

const SIZE = 1000;
const range = (from: number, size: number) => ({ from, size });

Deno.test("ranges are taken from the field as RFC 9110 14.1.2 has them", () => {
  const cases: readonly [string, ReturnType<typeof byteRanges>][] = [
    ["bytes=0-0", [range(0, 1)]],
    ["bytes=0-499", [range(0, 500)]],
    ["bytes=500-", [range(500, 500)]],
    ["bytes=-1", [range(999, 1)]],
    ["bytes=-5000", [range(0, 1000)]],
    ["bytes=990-5000", [range(990, 10)]],
    ["BYTES=1-2", [range(1, 2)]],
    ["bytes=0-0,-1", [range(0, 1), range(999, 1)]],
    ["bytes= 0-0 , , 5-6", [range(0, 1), range(5, 2)]],
    ["bytes=2000-,5-6", [range(5, 2)]], // one that is not in the file is left out
    ["bytes=1000-", "none"],
    ["bytes=-0", "none"],
    ["bytes=5000-6000,7000-", "none"],
  ];
  for (const [value, expected] of cases) equal(byteRanges(value, SIZE), expected, value);
});

Deno.test("a field that says nothing that holds is as if it were not there", () => {
  const values = [
    "bytes=",
    "bytes=a-b",
    "bytes=5",
    "bytes=-",
    "bytes=6-5",
    "items=0-1",
    "bytes 0-1",
    "bytes=0-1;q",
  ];
  for (const value of values) equal(byteRanges(value, SIZE), undefined, value);
  equal(byteRanges("bytes=0-0", 0), undefined);
  equal(byteRanges(`bytes=${"9".repeat(16)}-`, SIZE), undefined);
});

Deno.test("who asks for the file more than once gets it once", () => {
  equal(byteRanges("bytes=0-,0-", SIZE), undefined);
  equal(byteRanges("bytes=0-999,0-0", SIZE), undefined);
  equal(byteRanges(`bytes=${Array(17).fill("0-0").join(",")}`, SIZE), undefined);
  equal(byteRanges(`bytes=${Array(16).fill("0-0").join(",")}`, SIZE)?.length, 16);
});

Deno.test("space costs what it is long, wherever it stands", () => {
  const space = " \t".repeat(1 << 20); // looked at from each of them again it would take hours
  equal(byteRanges(`bytes=1${space}2-`, SIZE), undefined);
  equal(byteRanges(`bytes=${space}1-2${space},${space}`, SIZE), [{ from: 1, size: 2 }]);
});
