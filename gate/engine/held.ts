/** Bytes that a stream read ahead and nobody has used yet. */

export const NOTHING = new Uint8Array(0);

/** What is left of them. Where that is nothing, an empty view would keep all of them for the stream's whole life. */
export function behind(held: Uint8Array, used: number): Uint8Array {
  return used === held.length ? NOTHING : used === 0 ? held : held.subarray(used);
}
