import { parseAuthority, requestedTarget } from "../../../protocols/http/authority.ts";
import { Exchange } from "../../../protocols/http/exchange.ts";
import { MessageHead } from "../../../protocols/http/message_head.ts";
import { parseRequest } from "../../../protocols/http/parse_head.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

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
  const host = (target: string, host: string | undefined, version = "1.1") => {
    const bytes = latin1(
      `GET ${target} HTTP/${version}\r\n${host === undefined ? "" : `Host: ${host}\r\n`}\r\n`,
    );
    const head = new MessageHead();
    ok(parseRequest(head, bytes, 0, bytes.length, 4096) === head, target);
    const exchange = new Exchange();
    exchange.begin(head, bytes);
    const asked = requestedTarget(head, bytes);
    equal(exchange.target, asked); // whoever reads it
    return asked;
  };
  equal(host("/", "A.example:8080"), { host: "a.example", port: 8080 });
  equal(host("http://b.example/x", "a.example"), { host: "b.example", port: 80 });
  equal(host("HTTPS://b.example?x", "a.example"), { host: "b.example", port: 443 });
  equal(host("https://b.example:81", "a.example"), { host: "b.example", port: 81 });
  equal(host("http://b.example", undefined, "1.0"), { host: "b.example", port: 80 });
  equal(host("/", undefined, "1.0"), undefined);
  for (const address of ["10.0.0.1", "127.1", "1.2.3.4.", "0x7f.1", "2130706433"]) {
    ok(host("/", address), address);
  }
  for (const name of ["1.example", "3com.example", "1.2.3.4.example", "0xg", "10-0-0-1"]) {
    equal(host("/", name), { host: name, port: 80 });
  }
});
