import fc from "fast-check";
import { encoded, Reader, uint32At, Writer } from "../../../protocols/ssh/wire.ts";
import { equal, ok, throws } from "../../support/assert.ts";

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));

/** The examples of RFC 4251 5: a magnitude and how it is written. */
const MPINTS: readonly (readonly [string, string])[] = [
  ["", "00000000"],
  ["09a378f9b2e332a7", "0000000809a378f9b2e332a7"],
  ["80", "000000020080"],
];

Deno.test("multiple precision integers are written and read as RFC 4251 has them", () => {
  for (const [magnitude, written] of MPINTS) {
    equal(encoded((to) => to.mpint(bytesOf(magnitude))), bytesOf(written));
    const reader = new Reader(bytesOf(written));
    equal(new Uint8Array(reader.mpint()), bytesOf(magnitude));
    ok(reader.whole);
  }
});

Deno.test("a multiple precision integer that is negative, or longer than it has to be, is refused", () => {
  for (const written of ["00000002edcc", "00000005ff21524111", "0000000100", "000000020001", "00000004"]) {
    const reader = new Reader(bytesOf(written));
    equal(reader.mpint().length, 0);
    ok(reader.failed, written);
  }
});

Deno.test("name-lists are written and read as RFC 4251 has them", () => {
  for (
    const [names, written] of [[[], "00000000"], [["zlib"], "000000047a6c6962"], [
      ["zlib", "none"],
      "000000097a6c69622c6e6f6e65",
    ]] as const
  ) {
    equal(encoded((to) => to.nameList(names)), bytesOf(written));
    const reader = new Reader(bytesOf(written));
    equal(reader.nameList(), [...names]);
    ok(reader.whole);
  }
});

Deno.test("a name-list with an empty, a long or a strange name is refused, and one with too many", () => {
  const many = Array.from({ length: 257 }, (_, i) => `n${i}`).join(",");
  for (const list of [",", "a,", ",a", "a,,b", "a b", "a\nb", "é", "x".repeat(65), many]) {
    const reader = new Reader(encoded((to) => to.text(list)));
    equal(reader.nameList(), []);
    ok(reader.failed, list);
  }
  const long = new Reader(encoded((to) => to.text(Array(200).fill("x".repeat(60)).join(","))));
  equal(long.nameList(), []);
  ok(long.failed);
});

Deno.test("what is written is read again, and every byte of it is needed", () => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant("byte"), value: fc.nat(255) }),
    fc.record({ kind: fc.constant("boolean"), value: fc.boolean() }),
    fc.record({ kind: fc.constant("uint32"), value: fc.nat(0xffffffff) }),
    fc.record({ kind: fc.constant("uint64"), value: fc.bigInt(0n, 0xffffffffffffffffn) }),
    fc.record({ kind: fc.constant("string"), value: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ kind: fc.constant("text"), value: fc.string({ unit: "grapheme", maxLength: 40 }) }),
    fc.record({
      kind: fc.constant("nameList"),
      value: fc.array(fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{1,64}$/), { maxLength: 20 }),
    }),
    fc.record({ kind: fc.constant("mpint"), value: fc.uint8Array({ maxLength: 100 }) }),
  );
  const stripped = (value: unknown) => {
    if (!(value instanceof Uint8Array)) return value;
    const from = value.findIndex((byte) => byte !== 0);
    return value.slice(from < 0 ? value.length : from);
  };
  fc.assert(fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
    const bytes = encoded((to) => {
      for (const { kind, value } of fields) {
        (to as unknown as Record<string, (v: unknown) => void>)[kind](value);
      }
    });
    const readAll = (reader: Reader) =>
      fields.map(({ kind }) => (reader as unknown as Record<string, () => unknown>)[kind]());
    const reader = new Reader(bytes);
    const expected = fields.map(({ kind, value }) => kind === "mpint" ? stripped(value) : value);
    equal(readAll(reader).map((v) => v instanceof Uint8Array ? new Uint8Array(v) : v), expected);
    ok(reader.whole);
    for (let end = 0; end < bytes.length; end++) {
      const short = new Reader(bytes, 0, end);
      readAll(short);
      ok(short.failed, `${end} of ${bytes.length} bytes`);
    }
  }));
});

Deno.test("random bytes give nothing but values within them, or a failure", () => {
  const verbs = [
    "byte",
    "boolean",
    "uint32",
    "uint64",
    "string",
    "text",
    "name",
    "nameList",
    "mpint",
  ] as const;
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.constantFrom(...verbs), { maxLength: 10 }),
      (bytes, asked) => {
        const reader = new Reader(bytes);
        for (const verb of asked) {
          const value = reader[verb]();
          if (value instanceof Uint8Array) ok(value.length <= bytes.length);
          if (typeof value === "string") ok(value.length <= bytes.length);
        }
        ok(reader.at <= bytes.length && reader.left >= 0);
        if (reader.failed) equal([reader.whole, reader.string().length], [false, 0]);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("a reader fails for good, and one that begins anew has forgotten it", () => {
  const reader = new Reader(Uint8Array.of(0, 0, 0, 9, 1));
  equal(reader.string().length, 0);
  equal([reader.byte(), reader.uint32(), reader.uint64(), reader.failed], [0, 0, 0n, true]);
  reader.read(Uint8Array.of(7, 8, 9), 1, 2);
  equal([reader.byte(), reader.whole], [8, true]);
});

Deno.test("a length of four bytes is never negative", () => {
  equal(uint32At(Uint8Array.of(0xff, 0xff, 0xff, 0xfe), 0), 0xfffffffe);
  const reader = new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
  equal(reader.string().length, 0);
  ok(reader.failed);
});

Deno.test("a writer never writes beyond its bytes", () => {
  const bytes = new Uint8Array(10);
  throws(() => new Writer(bytes.subarray(0, 4)).string(latin1("abcdef")), /no place for 6 bytes/);
  throws(() => new Writer(bytes, 8).uint32(1), /no place/);
  equal(bytes.subarray(4), new Uint8Array(6));
});

Deno.test("what is encoded inside something that is encoded leaves that whole", () => {
  const inner = (text: string) => encoded((to) => to.text(text));
  equal(
    encoded((to) => to.text("a").string(inner("bcd")).text("e")),
    Uint8Array.of(0, 0, 0, 1, 97, 0, 0, 0, 7, 0, 0, 0, 3, 98, 99, 100, 0, 0, 0, 1, 101),
  );
});
