/** Key revocation lists of OpenSSH (PROTOCOL.krl, made by `ssh-keygen -k`): binary, read to plain data. */
import type { RevokedCertificates, RevokedList } from "../../../gate/identity/logins.ts";
import { each, type Fields, readWhole, Refusal, required } from "./fields.ts";
import { keyText } from "./lines.ts";

const MAGIC = new TextEncoder().encode("SSHKRL\n\0"), FORMAT = 1;
const CERTIFICATES = 1, EXPLICIT_KEY = 2, SHA1 = 3, SIGNATURE = 4, SHA256 = 5, EXTENSION = 255;
const SERIAL_LIST = 0x20,
  SERIAL_RANGE = 0x21,
  SERIAL_BITMAP = 0x22,
  KEY_ID = 0x23,
  CERTIFICATE_EXTENSION = 0x39;
const MOST_NAME = 1024, SHA1_OCTETS = 20, SHA256_OCTETS = 32;
/** As OpenSSH bounds them. */
const MOST_BITMAP_OCTETS = 1 << 21;

/** Whether the bytes say that they are such a list. */
export const isKrl = (bytes: Uint8Array): boolean => MAGIC.every((octet, at) => bytes[at] === octet);

interface Draft extends RevokedList {
  readonly keys: string[];
  readonly sha256: string[];
  readonly sha1: string[];
  readonly certificates: RevokedCertificates[];
}

/** All or nothing: who cannot read one part of it does not know what else is revoked. */
export function readKrl(place: string, bytes: Uint8Array): RevokedList | Refusal {
  if (!isKrl(bytes)) return new Refusal("no list of revoked keys");
  return readWhole(bytes.subarray(MAGIC.length), (fields) => {
    const format = fields.uint32();
    if (format !== FORMAT) throw new Refusal(`the format ${format} is not known`);
    for (let i = 0; i < 3; i++) fields.uint64(); // its own version, its date, flags that mean nothing
    for (let i = 0; i < 2; i++) fields.string(); // reserved, a comment
    const list: Draft = { place, keys: [], sha256: [], sha1: [], certificates: [] };
    while (fields.left > 0) {
      const type = fields.byte();
      if (type === SIGNATURE) fields.string(); // the key, and then what it signed: the file is believed for where it is
      section(list, type, fields.string());
    }
    return list;
  });
}

function section(list: Draft, type: number, bytes: Uint8Array): void {
  switch (type) {
    case CERTIFICATES:
      return void list.certificates.push(required(readWhole(bytes, certificates)));
    case EXPLICIT_KEY:
      return void list.keys.push(...each(bytes).map(keyText));
    case SHA1:
      return void list.sha1.push(...each(bytes).map((hash) => hashText(hash, SHA1_OCTETS)));
    case SHA256:
      return void list.sha256.push(...each(bytes).map((hash) => hashText(hash, SHA256_OCTETS)));
    case EXTENSION:
      return void required(readWhole(bytes, extension));
    case SIGNATURE:
      return;
    default:
      throw new Refusal(`a section of the type ${type}, which is not known`);
  }
}

function certificates(fields: Fields): RevokedCertificates {
  const authority = fields.string();
  fields.string(); // reserved
  const ranges: [bigint, bigint][] = [],
    bitmaps: { from: bigint; bits: Uint8Array }[] = [],
    keyIds: string[] = [];
  while (fields.left > 0) {
    const type = fields.byte(), bytes = fields.string();
    required(readWhole(bytes, (inner) => {
      if (type === SERIAL_LIST) { while (inner.left > 0) ranges.push(single(inner.uint64())); }
      else if (type === SERIAL_RANGE) ranges.push(ordered(inner.uint64(), inner.uint64()));
      else if (type === SERIAL_BITMAP) bitmaps.push({ from: inner.uint64(), bits: bitmap(inner) });
      else if (type === KEY_ID) { while (inner.left > 0) keyIds.push(inner.text(MOST_NAME)); }
      else if (type === CERTIFICATE_EXTENSION) extension(inner);
      else throw new Refusal(`revoked certificates of the type ${type}, which is not known`);
    }));
  }
  return { ...authority.length > 0 && { authority: keyText(authority) }, ranges, bitmaps, keyIds };
}

const single = (serial: bigint): [bigint, bigint] => [serial, serial];

function ordered(first: bigint, last: bigint): [bigint, bigint] {
  if (first > last) throw new Refusal(`serial numbers from ${first} to ${last}`);
  return [first, last];
}

/** A copy: it outlives the bytes. It is an mpint, of more octets than any number has. */
function bitmap(fields: Fields): Uint8Array {
  const bits = fields.string(MOST_BITMAP_OCTETS);
  if (bits[0] >= 0x80) throw new Refusal("a bitmap that is a negative number");
  return bits.slice();
}

/** One that is critical has to be known, and none is. */
function extension(fields: Fields): void {
  const name = fields.text(MOST_NAME), critical = fields.byte() > 0;
  fields.string();
  if (critical) throw new Refusal(`the extension ${JSON.stringify(name)}, which is not known`);
}

function hashText(hash: Uint8Array, octets: number): string {
  if (hash.length !== octets) throw new Refusal(`a hash of ${hash.length} octets, not ${octets}`);
  return hash.toBase64();
}
