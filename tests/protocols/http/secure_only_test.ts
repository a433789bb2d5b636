import { locationOf } from "../../../protocols/http/secure_only.ts";
import { equal } from "../../support/assert.ts";

Deno.test("what came in clear is sent to the same over TLS, at a port that the client gave", () => {
  const cases: [host: string, target: string, location: string | undefined][] = [
    ["a.example", "/x/../y?q=1&r", "https://a.example/x/../y?q=1&r"],
    ["a.example:80", "/", "https://a.example/"],
    ["a.example:443", "/", "https://a.example/"],
    ["a.example:8443", "//b.example/", "https://a.example:8443//b.example/"],
    ["a.example:", "", "https://a.example/"],
    ["a.example", "?q", "https://a.example/?q"],
    ["a.example", "*", "https://a.example/"],
    ["[2001:db8::1]", "/", "https://[2001:db8::1]/"],
    ["[2001:db8::1]:8080", "/", "https://[2001:db8::1]:8080/"],
    ["", "/", undefined],
    [":80", "/", undefined],
  ];
  for (const [host, target, location] of cases) equal(locationOf(host, target), location);
});
