import type { Coding } from "../../../../gate/requests.ts";
import { type Agreed, negotiate } from "../../../../protocols/http/compress/accept_encoding.ts";
import { equal } from "../../../support/assert.ts";

const BOTH: readonly Coding[] = ["zstd", "gzip"];

Deno.test("the coding is the one that the client likes best, of equal ones the route's first (RFC 9110 12.5.3)", () => {
  const cases: readonly [string, Agreed][] = [
    ["", "identity"],
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    ["x-gzip", "gzip"],
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1.0, zstd;q=0.5", "gzip"],
    ["gzip ; Q=0.8 , zstd ; q=0.8", "zstd"],
    ["gzip;q=0", "identity"],
    ["gzip;q=0.000, zstd;q=0", "identity"],
    ["*", "zstd"],
    ["*;q=0", "identity"],
    ["zstd;q=0, *", "gzip"],
    ["gzip;q=0.5, *;q=0.1", "gzip"],
    ["identity", "identity"],
    ["identity;q=1, gzip;q=0.5", "identity"],
    ["identity;q=0.5, gzip;q=0.5", "gzip"],
    ["identity;q=0, gzip", "gzip"],
    ["br", "identity"],
    ["deflate, br;q=1.0", "identity"],
    ["gzipx, xgzip", "identity"],
    ["gzip;q=2", "identity"],
    ["gzip;q=0.1234", "identity"],
    ["gzip;level=9", "identity"],
    [",, ,gzip,", "gzip"],
    ["g zip", "identity"],
  ];
  for (const [value, expected] of cases) equal(negotiate(value, BOTH), expected, value);
});

Deno.test("a coding that the route does not have is not agreed on", () => {
  equal(negotiate("gzip, zstd", ["gzip"]), "gzip");
  equal(negotiate("zstd", ["gzip"]), "identity");
  equal(negotiate("gzip, zstd", ["gzip", "zstd"]), "gzip");
});
