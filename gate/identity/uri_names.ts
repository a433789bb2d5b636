/**
 * The URIs in a certificate's subjectAltName (RFC 5280 4.2.1.6), from its DER: the text that node:crypto makes of all
 * names together can be forged by a name with a comma in it.
 */

/** X.690 8: of the types that stand on the way to the names. */
const SEQUENCE = 0x30, OBJECT_ID = 0x06, OCTET_STRING = 0x04, EXTENSIONS = 0xa3, URI = 0x86;
/** 2.5.29.17 */
const SUBJECT_ALTERNATIVE_NAME = "551d11";

interface Value {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** None where it has none, or where the bytes are no certificate. */
export function uriNames(der: Uint8Array): string[] {
  const [certificate] = valuesIn(der), [signed] = valuesIn(certificate?.content);
  const extensions = valuesIn(signed?.content).find(({ tag }) => tag === EXTENSIONS),
    [list] = valuesIn(extensions?.content);
  for (const extension of valuesIn(list?.content)) {
    const parts = valuesIn(extension.content), [id] = parts;
    if (id?.tag !== OBJECT_ID || id.content.toHex() !== SUBJECT_ALTERNATIVE_NAME) continue;
    const names = valuesIn(parts.find(({ tag }) => tag === OCTET_STRING)?.content)[0];
    return names?.tag === SEQUENCE
      ? valuesIn(names.content).filter(({ tag }) => tag === URI).map(textOf)
      : [];
  }
  return [];
}

/** IA5String: what is not ASCII makes no URI that anybody names. */
const textOf = ({ content }: Value): string => String.fromCharCode(...content.subarray(0, 4096));

/** One value behind the other; a broken one ends them. */
function valuesIn(bytes: Uint8Array = new Uint8Array(0)): Value[] {
  const values: Value[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const tag = bytes[at], short = bytes[at + 1], octets = short < 0x80 ? 0 : short & 0x7f;
    let size = octets === 0 ? short : 0;
    for (let i = 0; i < octets; i++) size = size * 256 + (bytes[at + 2 + i] ?? Infinity);
    const from = at + 2 + octets;
    if (octets > 4 || !(from + size <= bytes.length)) return [];
    values.push({ tag, content: bytes.subarray(from, at = from + size) });
  }
  return values;
}
