import fc from "fast-check";
import { type ClientHello, readClientHello } from "../../../protocols/tls/client_hello.ts";
import { equal, ok } from "../../support/assert.ts";
import {
  alpnExtension,
  clientHello,
  extension,
  inRecords,
  joined,
  padding,
  serverNameExtension,
} from "../../support/client_hello.ts";

/** As a stream would show it, byte by byte where it asks for so little. */
function readSlowly(bytes: Uint8Array): ClientHello | false | undefined {
  for (let length = 0; length <= bytes.length;) {
    const answer = readClientHello(bytes.subarray(0, length));
    if (typeof answer !== "number") return answer;
    ok(answer > length, `asks for ${answer} of ${length}`);
    length = answer;
  }
  return undefined;
}

Deno.test("the server name and the protocols are read from one record", () => {
  const hello = clientHello({ serverName: "Git.Example.com", alpn: ["h2", "http/1.1"] });
  equal(readClientHello(hello), { serverName: "git.example.com", alpn: ["h2", "http/1.1"] });
});

Deno.test("a hello that is split over records at any byte reads the same", () => {
  const parts = { serverName: "a.example", alpn: ["h2"] };
  const whole = readClientHello(clientHello(parts));
  const size = clientHello(parts).length - 5;
  for (let first = 1; first < size; first++) {
    equal(readSlowly(clientHello({ ...parts, records: [first, size] })), whole);
  }
  for (const records of [[1], [2], [3], [7], [1, 1, 1, 1, 64]]) {
    equal(readSlowly(clientHello({ ...parts, records })), whole);
  }
});

Deno.test("every proper prefix asks for more than there is, and never for more than the hello", () => {
  for (const records of [[16384], [1], [5, 40]]) {
    const hello = clientHello({ serverName: "a.example", records });
    for (let length = 0; length < hello.length; length++) {
      const answer = readClientHello(hello.subarray(0, length));
      ok(typeof answer === "number" && answer > length && answer <= hello.length, `${answer} of ${length}`);
    }
  }
});

Deno.test("hellos of post-quantum size are read, up to 16 KiB, in one record or several", () => {
  const plain = clientHello({ serverName: "pq.example" }).length - 5;
  for (const size of [1700, 4096, 9000, 16384]) {
    for (const records of [[16384], [1400], [100, 16384]]) {
      const hello = clientHello({ serverName: "pq.example", extensions: [padding(size - plain)], records });
      equal(readSlowly(hello), { serverName: "pq.example", alpn: [] });
    }
  }
});

Deno.test("a hello that is larger is refused as soon as its length is known", () => {
  const hello = clientHello({ extensions: [padding(20_000)] });
  equal(readClientHello(hello.subarray(0, 5 + 16384)), false);
  equal(readSlowly(clientHello({ extensions: [padding(12_000)], records: [1] })), false);
});

Deno.test("without a server name there is none; an IP literal is none", () => {
  equal(readClientHello(clientHello()), { serverName: undefined, alpn: [] });
  for (const literal of ["192.0.2.1", "127.1", "0x7f.1", "::1", "2001:db8::1"]) {
    equal(readClientHello(clientHello({ serverName: literal })), { serverName: undefined, alpn: [] });
  }
});

Deno.test("names come in one spelling; what is no name is a broken hello", () => {
  const nameOf = (serverName: string) => {
    const hello = readClientHello(clientHello({ serverName }));
    return typeof hello === "object" ? hello.serverName : hello;
  };
  equal(nameOf("A.EXAMPLE."), "a.example");
  equal(nameOf("_dmarc.r3---sn-x.example"), "_dmarc.r3---sn-x.example");
  for (const wrong of ["", "a b", "a\0.example", "a/b", "..", "x".repeat(300)]) equal(nameOf(wrong), false);
});

Deno.test("GREASE among the protocols is left out, the number of protocols is bounded", () => {
  equal(readClientHello(clientHello({ alpn: ["\x0a\x8a", "h2"] })), { serverName: undefined, alpn: ["h2"] });
  const many = readClientHello(clientHello({ alpn: Array.from({ length: 50 }, (_, i) => `p${i}`) }));
  ok(typeof many === "object" && many.alpn.length === 8);
});

Deno.test("a hello of TLS 1.0 without extensions is read", () => {
  const body = joined(Uint8Array.of(3, 1), new Uint8Array(32), Uint8Array.of(0, 0, 2, 0, 5, 1, 0));
  equal(readClientHello(inRecords(body)), { alpn: [] });
});

Deno.test("a hello that two servers could read in two ways is broken", () => {
  const name = serverNameExtension("a.example");
  const two = extension(0, Uint8Array.of(0, 8, 0, 0, 1, 97, 0, 0, 1, 98));
  const broken = [
    [name, serverNameExtension("b.example")],
    [alpnExtension(["h2"]), alpnExtension(["http/1.1"])],
    [two],
    [extension(0, new Uint8Array(0))],
    [extension(0, Uint8Array.of(0, 4, 0, 0, 9, 97))],
    [extension(0, Uint8Array.of(0, 4, 1, 0, 1, 97))],
    [extension(16, Uint8Array.of(0, 0))],
    [extension(16, Uint8Array.of(0, 1, 0))],
    [extension(16, Uint8Array.of(0, 2, 5, 97))],
    [Uint8Array.of(0, 0, 0, 50)],
  ];
  for (const extensions of broken) equal(readClientHello(clientHello({ extensions })), false);
});

Deno.test("broken lengths, other records and other messages are no hello", () => {
  const hello = clientHello({ serverName: "a.example" });
  const changes: [at: number, value: number][] = [
    [0, 23],
    [1, 2],
    [2, 9],
    [3, 0x7f],
    [5, 2],
    [8, 3],
    [9, 2],
    [43, 33],
  ];
  for (const [at, value] of changes) equal(readSlowly(hello.with(at, value)), false, `byte ${at}`);
  equal(readClientHello(Uint8Array.of(22, 3, 1, 0, 0, 1)), false);
  const other = joined(clientHello({ records: [40, 4000] }).subarray(0, 45), Uint8Array.of(23, 3, 3, 0, 10));
  equal(readSlowly(joined(other, new Uint8Array(10))), false);
});

Deno.test("random bytes behind a record header, and damaged hellos, give answers and never throw", () => {
  const hello = clientHello({ serverName: "a.example", alpn: ["h2"], records: [60, 30, 16384] });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (body) => void readSlowly(inRecords(body))));
  const change = fc.tuple(fc.nat(hello.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
    const damaged = hello.slice();
    for (const [at, value] of changes) damaged[at] = value;
    readSlowly(damaged);
  }));
});
