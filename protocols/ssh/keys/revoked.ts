/** Which keys and certificates are worth nothing any more: KRLs, and lists of public keys, a line each. */
import { createHash } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { Refusal } from "./fields.ts";
import type { LineFault, RevokedCertificates, RevokedList } from "../../../gate/identity/logins.ts";
import { isKrl, readKrl } from "./krl.ts";
import { eachLine, keyAt, keyText, skipBlanks } from "./lines.ts";

/** What a file revokes; absent where anything in it is wrong, for then nobody knows what else it should revoke. */
export interface RevokedFile {
  readonly list?: RevokedList;
  readonly faults: readonly LineFault[];
}

export function readRevoked(file: string, bytes: Uint8Array): RevokedFile {
  if (isKrl(bytes)) {
    const list = readKrl(file, bytes);
    return list instanceof Refusal ? { faults: [{ place: file, why: list.why }] } : { list, faults: [] };
  }
  const keys: string[] = [];
  const faults = eachLine(file, new TextDecoder().decode(bytes), (line) => {
    keys.push(keyAt(line, skipBlanks(line, 0)).key);
  });
  if (faults.length > 0) return { faults };
  return { list: { place: file, keys, sha256: [], sha1: [], certificates: [] }, faults };
}

/** All that is revoked, on an engine. */
export class Revocations {
  readonly #keys = new Map<string, string>();
  readonly #sha256 = new Map<string, string>();
  readonly #sha1 = new Map<string, string>();
  /** Of one authority by its key; of any by the empty text. */
  readonly #certificates = new Map<string, { readonly place: string; readonly revoked: Serials }[]>();

  add({ place, keys, sha256, sha1, certificates }: RevokedList): void {
    for (const key of keys) this.#keys.set(key, place);
    for (const hash of sha256) this.#sha256.set(hash, place);
    for (const hash of sha1) this.#sha1.set(hash, place);
    for (const revoked of certificates) {
      const of = revoked.authority ?? "", there = this.#certificates.get(of) ?? [];
      this.#certificates.set(of, [...there, { place, revoked: new Serials(revoked) }]);
    }
  }

  /** The place of the file that revokes this plain key; undefined: none does. */
  ofKey(blob: Uint8Array): string | undefined {
    return this.#keys.get(keyText(blob)) ??
      (this.#sha256.size > 0 ? this.#sha256.get(hashed("sha256", blob)) : undefined) ??
      (this.#sha1.size > 0 ? this.#sha1.get(hashed("sha1", blob)) : undefined);
  }

  /** The same of a certificate: its key, its authority, its serial number or its key ID. */
  ofCertificate({ key, authority, serial, keyId }: Certificate): string | undefined {
    const byKey = this.ofKey(key.blob) ?? this.ofKey(authority.blob);
    if (byKey !== undefined || this.#certificates.size === 0) return byKey;
    const lists = ["", keyText(authority.blob)].flatMap((of) => this.#certificates.get(of) ?? []);
    return lists.find(({ revoked }) => revoked.has(serial, keyId))?.place;
  }
}

const hashed = (algorithm: "sha256" | "sha1", blob: Uint8Array): string =>
  createHash(algorithm).update(blob).digest("base64");

class Serials {
  readonly #keyIds: ReadonlySet<string>;
  /** In order, none within another's reach. */
  readonly #ranges: readonly (readonly [bigint, bigint])[];
  readonly #bitmaps: RevokedCertificates["bitmaps"];

  constructor({ keyIds, ranges, bitmaps }: RevokedCertificates) {
    this.#keyIds = new Set(keyIds);
    this.#ranges = joined(ranges);
    this.#bitmaps = bitmaps;
  }

  /** A certificate without a serial number (0) cannot be revoked by one. */
  has(serial: bigint, keyId: string): boolean {
    if (this.#keyIds.has(keyId)) return true;
    return serial > 0n &&
      (this.#inRanges(serial) || this.#bitmaps.some((bitmap) => inBitmap(bitmap, serial)));
  }

  #inRanges(serial: bigint): boolean {
    let low = 0, high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle][1] < serial) low = middle + 1;
      else high = middle;
    }
    return low < this.#ranges.length && this.#ranges[low][0] <= serial;
  }
}

function joined(ranges: readonly (readonly [bigint, bigint])[]): [bigint, bigint][] {
  const order = ranges.toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0), found: [bigint, bigint][] = [];
  for (const [first, last] of order) {
    const before = found.at(-1);
    if (!before || before[1] < first) found.push([first, last]);
    else if (before[1] < last) before[1] = last;
  }
  return found;
}

function inBitmap({ from, bits }: RevokedCertificates["bitmaps"][number], serial: bigint): boolean {
  const at = serial - from;
  if (at < 0n || at >= BigInt(bits.length * 8)) return false;
  const bit = Number(at);
  return (bits[bits.length - 1 - (bit >> 3)] >> (bit & 7) & 1) === 1;
}
