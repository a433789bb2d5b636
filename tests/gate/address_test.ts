import fc from "fast-check";
import {
  canonicalHost,
  formatTarget,
  hostMatches,
  normalName,
  normalPattern,
  parseAnyIp,
  parseCidr,
  parseIp,
  parseTarget,
} from "../../gate/address.ts";
import { equal, ok } from "../support/assert.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefx.:%[]/-_*@。１") }),
);

Deno.test("what parses as an address in no way parses as a name, and the other way round", () => {
  fc.assert(fc.property(anyText, (text) => {
    const host = canonicalHost(text);
    if (host === undefined || host.startsWith("unix:")) return;
    equal(parseAnyIp(host) === undefined, normalName(host) !== undefined);
    equal(canonicalHost(host), host);
  }));
});

Deno.test("no text makes a parser throw", () => {
  fc.assert(fc.property(anyText, (text) => {
    for (
      const parse of [parseIp, parseAnyIp, parseCidr, parseTarget, normalName, normalPattern, canonicalHost]
    ) {
      parse(text);
    }
  }));
});

Deno.test("a name has one spelling", () => {
  const table: Record<string, string | undefined> = {
    "EXAMPLE.com.": "example.com",
    "a": "a",
    "_dmarc.Example.org": "_dmarc.example.org",
    "BÜCHER.example": "xn--bcher-kva.example",
    "ｅxample。com": "example.com",
    "a..b": undefined,
    ".": undefined,
    "": undefined,
    ".a": undefined,
    "a..": undefined,
    "127.0.0.1": undefined,
    "1.2.3.4.5": undefined,
    "example.1": undefined,
    "example.0x": undefined,
    "0x7f.1": undefined,
    "a b": undefined,
    "a/b": undefined,
    "a:1": undefined,
    "[::1]": undefined,
    "::1": undefined,
    "*.a": undefined,
    "a%41": undefined,
    "a\0b": undefined,
    "é%41": undefined,
    "é:80": undefined,
    "１２７.0.0.1": undefined,
    "é/../b": undefined,
  };
  for (const [text, name] of Object.entries(table)) equal(normalName(text), name, text);
  equal(normalName("a".repeat(63)), "a".repeat(63));
  equal(normalName("a".repeat(64)), undefined);
  equal(normalName("a.".repeat(126) + "b.")?.length, 253);
  equal(normalName("a.".repeat(126) + "bb"), undefined);
  equal([
    normalPattern("*.EXAMPLE.com."),
    normalPattern("*"),
    normalPattern("a.*"),
    normalPattern("*.1.2.3.4"),
  ], [
    "*.example.com",
    "*",
    undefined,
    undefined,
  ]);
});

Deno.test("*.host covers any depth and not the apex, * everything", () => {
  ok(
    hostMatches("*.a.b", "x.a.b") && hostMatches("*.a.b", "x.y.a.b") && hostMatches("*", "a") &&
      hostMatches("a.b", "a.b"),
  );
  for (const name of ["a.b", "xa.b", "b", "a.b.c", "x.a.bc"]) ok(!hostMatches("*.a.b", name), name);
  ok(!hostMatches("a.b", "x.a.b"));
});

Deno.test("a target is read and written in one form", () => {
  const table: Record<string, string | undefined> = {
    "example.com:443": "example.com:443",
    "EXAMPLE.com.:1": "example.com:1",
    "[::1]:80": "[::1]:80",
    "[0:0::1]:80": "[::1]:80",
    "127.1:80": "127.0.0.1:80",
    "[::ffff:1.2.3.4]:80": "1.2.3.4:80",
    "unix:/run/a.sock": "unix:/run/a.sock",
    "unix:@a": "unix:@a",
    "example.com": undefined,
    "example.com:": undefined,
    "example.com:0": undefined,
    "example.com:65536": undefined,
    ":80": undefined,
    "example.com:080": undefined,
    "example.com:+80": undefined,
    "::1:80": undefined,
    "[::1]": undefined,
    "[::1%lo]:80": undefined,
    "[1.2.3.4]:80": undefined,
    "[example.com]:80": undefined,
    "unix:": undefined,
    "unix:a": undefined,
    "unix:@": undefined,
    "unix:/a/../b": undefined,
    "unix:/a//b": undefined,
    "unix:/./a": undefined,
    "unix:/a/": undefined,
    "unix:/a\0b": undefined,
  };
  for (const [text, written] of Object.entries(table)) {
    const target = parseTarget(text);
    equal(target && formatTarget(target), written, text);
  }
  equal(parseTarget("unix:/" + "a".repeat(106)), undefined);
  ok(parseTarget("unix:/" + "a".repeat(105)));
});
