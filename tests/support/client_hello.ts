/** ClientHellos as TLS stacks build them, with every part open to be wrong. */

export interface HelloParts {
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  /** Further extensions, in front; GREASE and padding, say. */
  readonly extensions?: readonly Uint8Array[];
  /** Record sizes; what is left goes into records of the last one. */
  readonly records?: readonly number[];
}

const u8 = (...values: number[]): Uint8Array => Uint8Array.from(values);
const u16 = (value: number): Uint8Array => u8(value >> 8, value & 0xff);
export const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
};
const vector8 = (bytes: Uint8Array) => joined(u8(bytes.length), bytes);
const vector16 = (bytes: Uint8Array) => joined(u16(bytes.length), bytes);
const ascii = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));

export const extension = (type: number, data: Uint8Array): Uint8Array => joined(u16(type), vector16(data));
export const serverNameExtension = (name: string): Uint8Array =>
  extension(0, vector16(joined(u8(0), vector16(ascii(name)))));
export const alpnExtension = (names: readonly string[]): Uint8Array =>
  extension(16, vector16(joined(...names.map((name) => vector8(ascii(name))))));
/** An extension of this size in all. */
export const padding = (size: number): Uint8Array => extension(21, new Uint8Array(size - 4));

/** The bytes on the wire, with GREASE (RFC 8701) where Chrome puts it. */
export function clientHello(
  { serverName, alpn, extensions = [], records = [16384] }: HelloParts = {},
): Uint8Array {
  const all = joined(
    extension(0x3a3a, u8(0)),
    ...extensions,
    ...serverName === undefined ? [] : [serverNameExtension(serverName)],
    ...alpn === undefined ? [] : [alpnExtension(alpn)],
    extension(43, u8(6, 0x4a, 0x4a, 3, 4, 3, 3)),
  );
  const random = new Uint8Array(32).fill(0x5a), sessionId = new Uint8Array(32).fill(7);
  const suites = u8(0x2a, 0x2a, 0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f);
  return inRecords(
    joined(u8(3, 3), random, vector8(sessionId), vector16(suites), vector8(u8(0)), vector16(all)),
    records,
  );
}

/** A ClientHello message of this body, in records. */
export function inRecords(body: Uint8Array, sizes: readonly number[] = [16384]): Uint8Array {
  const message = joined(u8(1, body.length >> 16), u16(body.length & 0xffff), body);
  const records: Uint8Array[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const part = message.subarray(at, at + sizes[Math.min(i, sizes.length - 1)]);
    records.push(u8(22, 3, 1), vector16(part));
    at += part.length;
  }
  return joined(...records);
}
