/** Bytes as a hostile peer changes them: flipped, cut, doubled, with lengths that lie. */
import fc from "fast-check";

/** Damaged forms of the bytes; some are whole by chance. */
export function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(bytes.length - 1), byte = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x2c, 0x22);
  const changes = fc.array(fc.tuple(at, fc.oneof(byte, fc.nat(255))), { minLength: 1, maxLength: 4 });
  return fc.oneof(
    changes.map((changes) => {
      const changed = bytes.slice();
      for (const [at, value] of changes) changed[at] = value;
      return changed;
    }),
    at.map((size) => bytes.slice(0, size)),
    fc.uint8Array({ minLength: 1, maxLength: 8 }).map((more) => Uint8Array.from([...bytes, ...more])),
    fc.tuple(at, at).map(([from, to]) =>
      Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(to)])
    ),
    fc.uint8Array({ maxLength: 200 }),
  );
}
