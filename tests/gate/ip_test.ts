import fc from "fast-check";
import {
  cidrHas,
  cidrWithin,
  formatIp,
  isLoopback,
  isV4,
  judgedIp,
  parseAnyIp,
  parseCidr,
  parseIp,
  sameIp,
} from "../../gate/ip.ts";
import { equal, ok } from "../support/assert.ts";

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
/** Many zeros, so that :: is met. */
const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 }).map((groups) =>
  Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]))
);

Deno.test("what formatIp writes, parseIp reads as the same address", () => {
  fc.assert(fc.property(fc.oneof(bytes16, sparse), (ip) => {
    equal(parseIp(formatIp(ip)), ip);
    equal(formatIp(parseIp(formatIp(ip))!), formatIp(ip));
  }));
});

Deno.test("formatIp writes what a URL's host has for the same IPv6 address", () => {
  fc.assert(fc.property(fc.oneof(bytes16, sparse), (ip) => {
    if (isV4(ip)) return;
    equal(`[${formatIp(ip)}]`, new URL(`http://[${formatIp(ip)}]/`).hostname);
  }));
});

Deno.test("every inet_aton spelling is the address a URL reads in it", () => {
  const part = (n: number, base: number) =>
    base === 16 ? `0x${n.toString(16)}` : base === 8 ? `0${n.toString(8)}` : `${n}`;
  const base = fc.constantFrom(8, 10, 16);
  fc.assert(
    fc.property(
      fc.nat(0xffffffff),
      fc.integer({ min: 1, max: 4 }),
      base,
      base,
      fc.boolean(),
      (v, parts, a, b, dot) => {
        const head = Array.from(
          { length: parts - 1 },
          (_, i) => part((v >>> (24 - 8 * i)) & 255, i % 2 ? a : b),
        );
        const rest = v % 2 ** (8 * (5 - parts));
        const text = [...head, part(rest, a)].join(".") + (dot ? "." : "");
        equal(formatIp(parseAnyIp(text)!), new URL(`http://${text}/`).hostname);
      },
    ),
  );
});

Deno.test("parseIp reads standard literals only", () => {
  const good = [
    "1.2.3.4",
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7::",
    "::ffff:1.2.3.4",
    "64:ff9b::1.2.3.4",
    "FE80::A",
  ];
  for (const text of good) ok(parseIp(text), text);
  const bad = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.",
    "01.2.3.4",
    "0x1.2.3.4",
    "256.1.1.1",
    "1.2.3.4.5",
    " 1.2.3.4",
    "1.2.3.4\n",
    "+1.2.3.4",
    ":",
    ":1",
    "1:",
    ":::",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1%lo",
    "[::1]",
    "::1.2.3",
    "::01.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3.4:5",
    "g::",
    "::ffff:0x7f.0.0.1",
    "１.2.3.4",
  ];
  for (const text of bad) equal(parseIp(text), undefined, text);
});

Deno.test("judgedIp tells what an address stands for", () => {
  const table = {
    "0.0.0.0": "127.0.0.1",
    "::": "::1",
    "::1": "::1",
    "::ffff:0.0.0.0": "127.0.0.1",
    "64:ff9b::": "127.0.0.1",
    "64:ff9b::169.254.169.254": "169.254.169.254",
    "::169.254.169.254": "169.254.169.254",
    "::7f00:1": "127.0.0.1",
    "64:ff9b::0:127.0.0.1": "127.0.0.1",
    "::2": "0.0.0.2",
    "64:ff9b:1::7f00:1": "64:ff9b:1::7f00:1",
    "2002:7f00:1::": "2002:7f00:1::",
    "10.1.2.3": "10.1.2.3",
    "2001:db8::1": "2001:db8::1",
    "0.0.0.1": "0.0.0.1",
  };
  for (const [ip, judged] of Object.entries(table)) equal(formatIp(judgedIp(parseIp(ip)!)), judged, ip);
  fc.assert(fc.property(fc.oneof(bytes16, sparse), (ip) => equal(judgedIp(judgedIp(ip)), judgedIp(ip))));
});

Deno.test("isLoopback is 127.0.0.0/8 and ::1", () => {
  for (const ip of ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.2"]) {
    ok(isLoopback(parseIp(ip)!), ip);
  }
  for (const ip of ["128.0.0.1", "126.255.255.255", "::", "::2", "fe80::1"]) {
    ok(!isLoopback(parseIp(ip)!), ip);
  }
});

Deno.test("a CIDR has exactly the addresses that begin with its bits", () => {
  fc.assert(fc.property(bytes16, bytes16, fc.integer({ min: 0, max: 128 }), (base, other, length) => {
    if (isV4(base) || isV4(other)) return;
    const bits = (ip: Uint8Array) =>
      [...ip].map((byte) => byte.toString(2).padStart(8, "0")).join("").slice(0, length);
    const cidr = parseCidr(`${formatIp(base)}/${length}`)!;
    ok(cidrHas(cidr, base));
    equal(cidrHas(cidr, other), bits(base) === bits(other));
  }));
});

Deno.test("networks of IPv4 and of IPv6 hold addresses of their own kind only", () => {
  const has = (cidr: string, ip: string) => cidrHas(parseCidr(cidr)!, parseIp(ip)!);
  ok(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "2001:db8::1"));
  ok(has("::/0", "2001:db8::1") && !has("::/0", "8.8.8.8"));
  ok(has("::ffff:10.0.0.0/104", "10.9.9.9") && !has("::ffff:10.0.0.0/104", "11.0.0.1"));
  ok(has("10.0.0.7/8", "10.200.0.1"));
  const within = (inner: string, outer: string) => cidrWithin(parseCidr(inner)!, parseCidr(outer)!);
  ok(
    within("10.1.0.0/16", "10.0.0.0/8") && !within("10.0.0.0/8", "10.1.0.0/16") &&
      within("10.0.0.1", "10.0.0.1"),
  );
  ok(!within("0.0.0.0/0", "127.0.0.0/8") && !within("::/0", "0.0.0.0/0") && !within("10.0.0.0/8", "::/0"));
  for (
    const bad of [
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "10/8",
      "x/8",
      "10.0.0.0/ 8",
    ]
  ) {
    equal(parseCidr(bad), undefined, bad);
  }
});

Deno.test("sameIp compares all bytes", () => {
  ok(
    sameIp(parseIp("1.2.3.4")!, parseIp("::ffff:102:304")!) &&
      !sameIp(parseIp("1.2.3.4")!, parseIp("1.2.3.5")!),
  );
});
