import fc from "fast-check";
import { GateError } from "../../gate/errors.ts";
import { protocols, proxyHeader, proxyProtocol } from "../../protocols/mod.ts";
import { readProxyHeader } from "../../protocols/proxy_protocol.ts";
import { conformProtocol } from "../conformance/protocol.ts";
import { equal, fails, ok, throws } from "../support/assert.ts";
import { joined } from "../support/client_hello.ts";
import { memoryPair, readAll } from "../support/memory_stream.ts";
import { firstBytes } from "../support/real_client.ts";

const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
const v2 = (command: number, family: number, block: readonly number[], size = block.length) =>
  Uint8Array.of(...SIGNATURE, command, family, size >> 8, size & 0xff, ...block);
const FOUR = [192, 0, 2, 1, 192, 0, 2, 2, 0x30, 0x39, 1, 0xbb];
const SIX = [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1, ...new Array(15).fill(0), 2, 0, 80, 1, 0xbb];
const TLVS = [4, 0, 2, 0, 0, 2, 0, 1, 97];

const KNOWN: Readonly<Record<string, readonly [header: Uint8Array, source: object]>> = {
  "v1 TCP4": [latin1("PROXY TCP4 192.0.2.1 192.0.2.2 12345 443\r\n"), { address: "192.0.2.1", port: 12345 }],
  "v1 TCP6": [latin1("PROXY TCP6 2001:DB8::1 ::2 80 443\r\n"), { address: "2001:db8::1", port: 80 }],
  "v1 UNKNOWN": [latin1("PROXY UNKNOWN\r\n"), {}],
  "v1 UNKNOWN with addresses": [latin1("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), {}],
  "v2 TCP4": [v2(0x21, 0x11, FOUR), { address: "192.0.2.1", port: 12345 }],
  "v2 TCP4 with TLVs": [v2(0x21, 0x11, [...FOUR, ...TLVS]), { address: "192.0.2.1", port: 12345 }],
  "v2 TCP6": [v2(0x21, 0x21, SIX), { address: "2001:db8::1", port: 80 }],
  "v2 unix": [v2(0x21, 0x31, new Array(216).fill(0)), { address: "unix", port: undefined }],
  "v2 unspecified": [v2(0x21, 0, TLVS), {}],
  "v2 LOCAL": [v2(0x20, 0, []), {}],
  "v2 LOCAL with addresses": [v2(0x20, 0x11, FOUR), {}],
};
const real = await firstBytes({
  "curl": { program: "curl", args: (port) => ["-s", "--haproxy-protocol", `http://127.0.0.1:${port}/`] },
});

conformProtocol("proxy", proxyProtocol, {
  samples: {
    ...real,
    ...Object.fromEntries(Object.entries(KNOWN).map(([name, [header]]) => [name, header])),
  },
  others: { ...protocols, proxy: proxyProtocol },
});

/** The source and what is left, when the bytes come in pieces of this size. */
async function preface(bytes: Uint8Array, piece = bytes.length) {
  const [inside, client] = memoryPair();
  const reading = proxyProtocol.preface!(inside);
  reading.catch(() => {}); // who awaits it sees the error
  for (let at = 0; at < bytes.length; at += piece) {
    await client.write(bytes.slice(at, at + piece));
    await Promise.resolve();
  }
  await client.closeWrite();
  return { source: await reading, left: String.fromCharCode(...await readAll(inside)) };
}

Deno.test("every header tells its source, and is used exactly, however it comes", async () => {
  for (const [header, source] of Object.values(KNOWN)) {
    for (const piece of [1, 7, 10_000]) {
      equal(await preface(joined(header, latin1("GET /")), piece), { source, left: "GET /" });
    }
  }
  for (const bytes of Object.values(real)) {
    const { source, left } = await preface(bytes);
    equal(source.address, "127.0.0.1");
    ok(left === "" || left.startsWith("GET "), left); // curl may send the request a moment later
  }
});

Deno.test("a broken header is malformed", () => {
  const lines = [
    "PROXY TCP4 192.0.2.1 192.0.2.2 12345 443\n",
    "PROXY TCP4 192.0.2.1 192.0.2.2 12345\r\n",
    "PROXY TCP4 192.0.2.1  192.0.2.2 12345 443\r\n",
    "PROXY TCP4 192.0.2.1 192.0.2.2 012345 443\r\n",
    "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n",
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
    "PROXY TCP4 ::1 ::2 12345 443\r\n",
    "PROXY TCP6 192.0.2.1 ::1 12345 443\r\n",
    "PROXY TCP4 192.0.2.256 192.0.2.2 12345 443\r\n",
    "PROXY TCP4 127.1 192.0.2.2 12345 443\r\n",
    "PROXY UDP4 192.0.2.1 192.0.2.2 12345 443\r\n",
    "PROXY UNKNOWNX\r\n",
    "PROXY \r\n",
    "proxy UNKNOWN\r\n",
    "GET / HTTP/1.1\r\n",
    `PROXY UNKNOWN ${"x".repeat(92)}\r\n`,
  ];
  const headers = [
    v2(0x11, 0x11, FOUR),
    v2(0x22, 0x11, FOUR),
    v2(0x21, 0x41, FOUR),
    v2(0x21, 0x13, FOUR),
    v2(0x21, 0x11, FOUR.slice(1)),
    v2(0x21, 0x21, FOUR),
    v2(0x21, 0x31, FOUR),
    v2(0x21, 0x11, [], 4097),
  ];
  for (const header of [...lines.map(latin1), ...headers]) {
    throws(() => readProxyHeader(header), /^Cannot read a PROXY/);
  }
  ok(readProxyHeader(latin1(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`)));
});

Deno.test("a source that says nothing, or ends within the header, is an error", async () => {
  for (const [header] of Object.values(KNOWN)) {
    for (let length = 0; length < header.length; length += 3) {
      await fails(preface(header.slice(0, length)), "closed");
    }
  }
});

Deno.test("every prefix of a header asks for more, random bytes throw nothing but a GateError", () => {
  for (const [header] of Object.values(KNOWN)) {
    for (let length = 0; length < header.length; length++) {
      const answer = readProxyHeader(header.subarray(0, length));
      ok(typeof answer === "number" && answer > length && answer <= header.length);
    }
  }
  const beginnings = fc.constantFrom([], [...latin1("PROXY TCP4 ")], [...SIGNATURE, 0x21]);
  fc.assert(
    fc.property(beginnings, fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 120 }), (begin, rest) => {
      try {
        readProxyHeader(Uint8Array.of(...begin, ...rest));
      } catch (thrown) {
        ok(thrown instanceof GateError && thrown.failure === "malformed");
      }
    }),
  );
});

Deno.test("the header that is written is the one that is read", () => {
  const places = [
    [{ address: "192.0.2.1", port: 12345 }, { address: "192.0.2.2", port: 443 }],
    [{ address: "2001:db8::1", port: 80 }, { address: "::2", port: 443 }],
  ] as const;
  for (const version of ["v1", "v2"] as const) {
    for (const [source, destination] of places) {
      const header = proxyHeader(version, source, destination);
      equal(readProxyHeader(header), { used: header.length, source });
    }
  }
  equal(proxyHeader("v2", ...places[0]), v2(0x21, 0x11, FOUR));
  equal(proxyHeader("v2", ...places[1]), v2(0x21, 0x21, SIX));
});

Deno.test("two families become IPv6, what is no IP address is unknown", () => {
  const four = { address: "192.0.2.1", port: 1 }, six = { address: "::2", port: 2 };
  equal(proxyHeader("v1", four, six), latin1("PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n"));
  equal(proxyHeader("v2", four, six).length, 16 + 36);
  equal(readProxyHeader(proxyHeader("v2", four, six)), { used: 52, source: four });
  for (const source of [undefined, { address: "unix", port: 0 }]) {
    equal(proxyHeader("v1", source, four), latin1("PROXY UNKNOWN\r\n"));
    equal(proxyHeader("v2", source, four), v2(0x21, 0, []));
  }
});
