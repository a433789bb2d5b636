/** Short texts of heads that come again and again (hosts, paths) as one string each, found without making another. */
import { Buffer } from "node:buffer";

const SLOTS = 1024;
/** Longer ones are rare, and made each time. */
const LONGEST = 64;

const texts: (string | undefined)[] = new Array(SLOTS).fill(undefined);
const kept = new Uint8Array(SLOTS * LONGEST), sizes = new Uint8Array(SLOTS);

/** The octets from `start` to `end` as text, a character each. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const size = end - start;
  if (size === 0) return "";
  if (size > LONGEST) return latin1(bytes, start, end);
  let hash = size;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1), place = slot * LONGEST;
  if (sizes[slot] === size && isSame(bytes, start, place, size)) return texts[slot]!;
  for (let i = 0; i < size; i++) kept[place + i] = bytes[start + i];
  sizes[slot] = size;
  return texts[slot] = latin1(bytes, start, end);
}

function isSame(bytes: Uint8Array, start: number, place: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (kept[place + i] !== bytes[start + i]) return false;
  return true;
}

/** The same without remembering it: for texts that are hardly ever the same. */
export const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
