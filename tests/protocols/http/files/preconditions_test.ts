import { type Conditions, rangeHolds, unmet } from "../../../../protocols/http/files/preconditions.ts";
import { equal } from "../../../support/assert.ts";

const FILE = { etag: '"a.1-5"', modified: Date.UTC(2024, 0, 2, 3, 4, 5) / 1000 };
const SAME = "Tue, 02 Jan 2024 03:04:05 GMT";
const BEFORE = "Tue, 02 Jan 2024 03:04:04 GMT", AFTER = "Tue, 02 Jan 2024 03:04:06 GMT";

Deno.test("preconditions are asked in the order of RFC 9110 13.2.2", () => {
  const cases: readonly [Conditions, 304 | 412 | undefined][] = [
    [{}, undefined],
    [{ ifNoneMatch: '"a.1-5"' }, 304],
    [{ ifNoneMatch: 'W/"a.1-5"' }, 304],
    [{ ifNoneMatch: '"x", "a.1-5"' }, 304],
    [{ ifNoneMatch: '"x,\\"a.1-5"' }, undefined],
    [{ ifNoneMatch: "*" }, 304],
    [{ ifNoneMatch: '"x"', ifModifiedSince: AFTER }, undefined],
    [{ ifModifiedSince: SAME }, 304],
    [{ ifModifiedSince: AFTER }, 304],
    [{ ifModifiedSince: BEFORE }, undefined],
    [{ ifModifiedSince: "Tuesday, 02-Jan-24 03:04:05 GMT" }, 304],
    [{ ifModifiedSince: "Tue Jan  2 03:04:05 2024" }, 304],
    [{ ifModifiedSince: "yesterday" }, undefined],
    [{ ifModifiedSince: "1" }, undefined],
    [{ ifMatch: '"a.1-5"' }, undefined],
    [{ ifMatch: "*" }, undefined],
    [{ ifMatch: 'W/"a.1-5"' }, 412],
    [{ ifMatch: '"x"' }, 412],
    [{ ifMatch: '"a.1-5"', ifUnmodifiedSince: BEFORE }, undefined],
    [{ ifUnmodifiedSince: BEFORE }, 412],
    [{ ifUnmodifiedSince: SAME }, undefined],
    [{ ifUnmodifiedSince: "never" }, undefined],
    [{ ifMatch: '"a.1-5"', ifNoneMatch: '"a.1-5"' }, 304],
  ];
  for (const [conditions, expected] of cases) {
    equal(unmet(conditions, FILE), expected, JSON.stringify(conditions));
  }
});

Deno.test("ranges are of the file that the client has a part of already, and of no other", () => {
  const cases: readonly [string | undefined, boolean][] = [
    [undefined, true],
    ['"a.1-5"', true],
    ['W/"a.1-5"', false],
    ['"x"', false],
    [SAME, true],
    [BEFORE, false],
    [AFTER, false],
    ["", false],
  ];
  for (const [ifRange, expected] of cases) equal(rangeHolds({ ifRange }, FILE), expected, ifRange);
});
