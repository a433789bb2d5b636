import { parseAuthority, requestedHost } from "../../../protocols/http/authority.ts";
import type { Field } from "../../../protocols/http/head.ts";
import { equal } from "../../support/assert.ts";

Deno.test("an authority is a host and a port, in one spelling", () => {
  equal(parseAuthority("A.Example:443"), { host: "a.example", port: 443 });
  equal(parseAuthority("192.0.2.1:80"), { host: "192.0.2.1", port: 80 });
  equal(parseAuthority("[2001:DB8:0::1]:443"), { host: "2001:db8::1", port: 443 });
  equal(parseAuthority("[::ffff:10.0.0.1]:1"), { host: "10.0.0.1", port: 1 });
  equal(parseAuthority("a.example", 80), { host: "a.example", port: 80 });
  equal(parseAuthority("a.example:", 80), { host: "a.example", port: 80 });
  equal(parseAuthority("[::1]", 443), { host: "::1", port: 443 });
});

Deno.test("everything else is none", () => {
  for (
    const wrong of [
      "",
      ":443",
      "a.example",
      "a.example:",
      "a.example:0",
      "a.example:65536",
      "a.example:123456",
      "a.example:+80",
      "a.example:80 ",
      "a.example:80:80",
      "user@a.example:80",
      "a.example:80/",
      "http://a.example:80",
      "::1:443",
      "[::1]443",
      "[a.example]:80",
      "[10.0.0.1]:80",
      "[fe80::1%25eth0]:80",
      "a%2eexample:80",
      "unix:/run/s",
      "unix:@s",
      "a_b c:80",
    ]
  ) {
    equal(parseAuthority(wrong), undefined, wrong);
  }
});

Deno.test("a request is for the host of its target, else of its one Host", () => {
  const host = (target: string, hosts: string[], version: "1.0" | "1.1" = "1.1") => {
    const fields = hosts.map((value): Field => ["host", value]);
    return requestedHost({ used: 0, method: "GET", target, version, fields });
  };
  equal(host("/", ["a.example:8080"]), { host: "a.example", port: 8080 });
  equal(host("*", ["a.example"]), { host: "a.example", port: 80 });
  equal(host("http://b.example/x", ["a.example"]), { host: "b.example", port: 80 });
  equal(host("HTTPS://b.example?x", ["a.example"]), { host: "b.example", port: 443 });
  equal(host("http://b.example", [], "1.0"), { host: "b.example", port: 80 });
  equal(host("/", [], "1.0"), undefined);
  equal(host("/", [""]), undefined);
  equal(host("/", []), false);
  equal(host("/", ["a.example", "a.example"]), false);
  equal(host("/", ["a.example, b.example"]), false);
  equal(host("http://b.example@c.example/", ["a.example"]), false);
  equal(host("http:///x", ["a.example"]), false);
  equal(host("a.example:443", ["a.example"]), false);
  equal(host("ftp://a.example/", ["a.example"]), false);
});
