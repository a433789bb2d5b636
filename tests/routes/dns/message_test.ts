import { Buffer } from "node:buffer";
import fc from "fast-check";
import { newQuery, type Query, readResponse } from "../../../routes/dns/message.ts";
import { equal, ok } from "../../support/assert.ts";
import { type Reply, replyBytes } from "../../support/dns_server.ts";

const QUESTION = { name: "www.a.test", type: "A" } as const;

const QUESTION_AT = 12;

function bytesFor(query: Query, reply: Reply): Buffer {
  return replyBytes({ ...query, transport: "udp", edns: true }, reply);
}

const ANSWERS = [
  { name: "www.a.test", type: "CNAME", data: "b.test", ttl: 30 },
  { name: "b.test", type: "A", data: "10.0.0.1", ttl: 60 },
  { name: "b.test", type: "TXT", data: "not asked for" },
  { name: "b.test", type: "AAAA", data: "fd00::1", ttl: 0x80000000 },
  { name: "_x._tcp.b.test", type: "SRV", data: { priority: 1, weight: 2, port: 3, target: "C.Test" } },
];

Deno.test("a query asks one question, wants recursion and offers EDNS", () => {
  const { bytes, id } = newQuery(QUESTION, true);
  const hex = Buffer.from(bytes).toString("hex");
  const name = "03777777" + "0161" + "0474657374" + "00";
  equal(
    hex,
    id.toString(16).padStart(4, "0") + "0100" + "0001000000000001" + name + "00010001" +
      "00002904d0000000000000",
  );
  equal(newQuery(QUESTION, false).bytes.length, bytes.length - 11);
});

Deno.test("ids are drawn, not counted", () => {
  const ids = Array.from({ length: 64 }, () => newQuery(QUESTION, true).id);
  const steps = new Set(ids.slice(1).map((id, i) => id - ids[i]));
  ok(steps.size > 32, `${ids}`);
});

Deno.test("records that matter are read, others are stepped over", () => {
  const query = newQuery(QUESTION, true);
  equal(readResponse(bytesFor(query, { answers: ANSWERS }), query), {
    rcode: 0,
    truncated: false,
    negative: undefined,
    answers: [
      { owner: "www.a.test", ttl: 30, type: "CNAME", target: "b.test" },
      { owner: "b.test", ttl: 60, type: "A", address: "10.0.0.1" },
      { owner: "b.test", ttl: 0, type: "AAAA", address: "fd00::1" },
      { owner: "_x._tcp.b.test", ttl: 60, type: "SRV", priority: 1, weight: 2, port: 3, target: "c.test" },
    ],
  });
});

Deno.test("a no holds as long as the lesser of the SOA's TTL and its MINIMUM", () => {
  const query = newQuery(QUESTION, true);
  for (const [ttl, minimum] of [[30, 900], [900, 30]]) {
    const data = { mname: "ns.test", rname: "who.test", minimum };
    const bytes = bytesFor(query, { rcode: 3, authorities: [{ name: "test", type: "SOA", ttl, data }] });
    equal(readResponse(bytes, query), { rcode: 3, truncated: false, negative: 30, answers: [] });
  }
});

Deno.test("what answers another id, name or type, or is a question, answers nothing", () => {
  const query = newQuery(QUESTION, true);
  const of = (reply: Reply) => readResponse(bytesFor(query, { answers: ANSWERS, ...reply }), query);
  ok(of({}));
  ok(of({ question: { name: "WWW.a.TEST", type: "A" } }), "case of the name");
  equal(of({ id: query.id ^ 1 }), undefined);
  equal(of({ question: { name: "www.b.test", type: "A" } }), undefined);
  equal(of({ question: { name: "www.a.test", type: "AAAA" } }), undefined);
  equal(readResponse(query.bytes, query), undefined);
});

Deno.test("records of another class, and addresses of another size, are not read", () => {
  const query = newQuery(QUESTION, true);
  const chaos = bytesFor(query, {
    answers: [{ name: "www.a.test", type: "A", class: "CH", data: "10.0.0.1" }],
  });
  equal(readResponse(chaos, query)?.answers, []);
  const short = bytesFor(query, { answers: [{ name: "www.a.test", type: "A", data: "10.0.0.1" }] });
  short.writeUInt16BE(3, short.length - 6);
  equal(readResponse(short, query)?.answers, []);
});

Deno.test("a name that points at itself, forward or in a circle is garbage", () => {
  const query = newQuery(QUESTION, true);
  const good = bytesFor(query, { answers: [{ name: "www.a.test", type: "A", data: "10.0.0.1" }] });
  const owner = query.bytes.length - 11;
  const twice = Buffer.concat([good, good.subarray(owner)]);
  twice.writeUInt16BE(2, 6);
  for (const to of [owner, owner + 1, owner + 2, 0x3fff, good.length - 4]) {
    const bytes = Buffer.from(good.subarray(0, owner));
    const record = Buffer.from([0xc0 | to >> 8, to, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
    equal(readResponse(Buffer.concat([bytes, record]), query), undefined, `pointer to ${to}`);
  }
  ok(readResponse(twice, query));
});

Deno.test("the longest chain of pointers in the longest message holds nothing up", () => {
  const query = newQuery(QUESTION, true);
  const head = bytesFor(query, {});
  const first = head.length + 11;
  const chain = Buffer.alloc(8192);
  for (let at = 2; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 | (first + at - 2), at);
  chain.writeUInt16BE(0xc000 | QUESTION_AT, 0);
  const text = Buffer.from([0, 0, 16, 0, 1, 0, 0, 0, 9, chain.length >> 8, chain.length & 0xff]);
  const last = first + chain.length - 2;
  const record = Buffer.from([0xc0 | last >> 8, last & 0xff, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
  const bytes = Buffer.concat([head, text, chain, ...Array.from({ length: 500 }, () => record)]);
  bytes.writeUInt16BE(501, 6);
  const start = performance.now();
  equal(readResponse(bytes, query)?.answers.length, 500);
  const spent = performance.now() - start;
  ok(spent < 1000, `${spent} ms`);
});

Deno.test("a message cut anywhere answers nothing or less, and never throws", () => {
  const query = newQuery(QUESTION, true);
  const bytes = bytesFor(query, { answers: ANSWERS });
  for (let size = 0; size < bytes.length; size++) {
    equal(readResponse(bytes.subarray(0, size), query), undefined, `${size} bytes`);
  }
});

Deno.test("random bytes, and answers with random bytes in them, never throw", () => {
  const query = newQuery(QUESTION, true);
  const good = bytesFor(query, { answers: ANSWERS });
  const dents = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(dents, (dents) => {
      const bytes = Buffer.from(good);
      for (const [at, byte] of dents) bytes[at] = byte;
      const response = readResponse(bytes, query);
      for (const { ttl } of response?.answers ?? []) ok(ttl >= 0 && ttl <= 0x7fffffff);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const framed = Buffer.concat([good.subarray(0, query.bytes.length - 11), bytes]);
      readResponse(framed, query);
      equal(readResponse(bytes, { ...query, id: 0x1_0000 }), undefined);
    }),
    { numRuns: 2000 },
  );
});
