import { valuesOf } from "../../../protocols/http/field_values.ts";
import { KIND } from "../../../protocols/http/field_kinds.ts";
import { firstRequest } from "../../../protocols/http/first_request.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

Deno.test("a head that comes in any two pieces, or octet by octet, reads the same", () => {
  const text = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic x\r\n\r\n";
  const bytes = latin1(`${text}abc`), whole = { used: text.length, values: ["Basic x"] };
  const reader = () =>
    firstRequest(4096, (head, bytes) => {
      return { used: head.used, values: valuesOf(head, bytes, KIND.proxyAuthorization) };
    });
  equal(reader()(bytes), whole);
  for (let first = 1; first < text.length; first++) {
    const read = reader();
    equal(read(bytes.subarray(0, first)), first + 1);
    equal(read(bytes), whole);
  }
  const read = reader();
  for (let size = 1; size < text.length; size++) equal(read(bytes.subarray(0, size)), size + 1);
  equal(read(bytes), whole);
});

Deno.test("two clients whose heads come in turn do not disturb each other", () => {
  const target = (size: number) =>
    firstRequest(size, (head) => ({ used: head.used, octets: head.targetEnd - head.targetStart }));
  const one = target(1024), two = target(1024);
  const first = latin1("GET /abc HTTP/1.1\r\nHost: a\r\n\r\n"), second = latin1("GET / HTTP/1.0\r\n\r\n");
  equal(one(first.subarray(0, 20)), 21);
  equal(two(second), { used: second.length, octets: 1 });
  equal(one(first), { used: first.length, octets: 4 });
  const long = target(20)(first);
  ok(typeof long === "object" && "fault" in long && long.fault === 431);
});
