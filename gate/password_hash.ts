/** The written form of a hashed password: what configuration has, `ugate hash` prints and a login is checked with. */

/** A stored password: `scrypt:N:r:p:salt:hash`, salt and hash in base64url. */
export interface Hash {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Bytes that verifying one may take. */
export const MOST_MEMORY = 64 * 1024 * 1024;
const MOST_PARALLELISM = 16;
const FORM = /^scrypt:([0-9]{1,8}):([0-9]{1,3}):([0-9]{1,3}):([\w-]{11,86}):([\w-]{22,86})$/;

/** undefined: not a hash, or one that costs more than 64 MiB or p = 16. */
export function parseHash(text: string): Hash | undefined {
  const [, cost, blockSize, parallelism, salt, hash] = FORM.exec(text) ?? [];
  if (hash === undefined) return undefined;
  const [n, r, p] = [Number(cost), Number(blockSize), Number(parallelism)];
  const power = n > 1 && (n & (n - 1)) === 0;
  if (!power || r < 1 || p < 1 || p > MOST_PARALLELISM || 128 * n * r > MOST_MEMORY) return undefined;
  if (salt.length % 4 === 1 || hash.length % 4 === 1) return undefined; // base64 has no such length
  const bytes = (part: string) => Uint8Array.fromBase64(part, { alphabet: "base64url" });
  return { cost: n, blockSize: r, parallelism: p, salt: bytes(salt), hash: bytes(hash) };
}
