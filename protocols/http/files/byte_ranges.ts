/** Parts of a file that a client asks for (RFC 9110 14). */

export interface ByteRange {
  readonly from: number;
  readonly size: number;
}

/** Who asks for more wants work, not a file (RFC 9110 17.15). No pattern looks again at what it has seen. */
const MOST_RANGES = 16;
const RANGES = /^bytes[ \t]*=([0-9, \t-]*)$/i;
const RANGE = /^(\d{0,15})-(\d{0,15})$/;

/**
 * The ranges in the order they were asked for; "none": none of them is in a file of this size; undefined: the field says
 * nothing that holds, and the whole file is sent: also where they are more than the file, or there is nothing in it.
 */
export function byteRanges(value: string, size: number): readonly ByteRange[] | "none" | undefined {
  const [, list] = RANGES.exec(value) ?? [];
  if (list === undefined || size === 0) return undefined;
  const written = list.split(",").map((one) => one.trim()).filter(Boolean);
  if (written.length === 0 || written.length > MOST_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  let sum = 0;
  for (const one of written) {
    const range = byteRange(one, size);
    if (range === undefined) return undefined;
    if (range.size <= 0) continue;
    ranges.push(range);
    sum += range.size;
  }
  if (ranges.length === 0) return "none";
  return ranges.length > 1 && sum >= size ? undefined : ranges;
}

/** undefined: this is no range. Of no octets: it is not in the file. */
function byteRange(written: string, size: number): ByteRange | undefined {
  const [, first, last] = RANGE.exec(written) ?? [];
  if (first === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const from = Math.max(0, size - Number(last));
    return { from, size: size - from };
  }
  const from = Number(first), end = last === "" ? size : Number(last) + 1;
  if (last !== "" && end <= from) return undefined;
  return { from, size: Math.min(end, size) - from };
}
