/** The exchange hash (RFC 4253 8; RFC 5656 4) and the keys that are derived of it (RFC 4253 7.2). */
import { createHash } from "node:crypto";
import type { Keys } from "../protection/ciphers.ts";

/** What is hashed, in this order. */
export interface Exchanged {
  /** Identification lines without CR LF. */
  readonly clientVersion: Uint8Array;
  readonly serverVersion: Uint8Array;
  /** Payloads of KEXINIT. */
  readonly clientInit: Uint8Array;
  readonly serverInit: Uint8Array;
  readonly hostKey: Uint8Array;
  readonly clientShare: Uint8Array;
  readonly serverShare: Uint8Array;
  /** K, encoded as the method has it. */
  readonly secret: Uint8Array;
}

/** H: what the host key signs. The first one of a connection is its session id. */
export function exchangeHash(of: Exchanged): Uint8Array<ArrayBuffer> {
  const { clientVersion, serverVersion, clientInit, serverInit, hostKey, clientShare, serverShare } = of;
  const hash = createHash("sha256"), length = new Uint8Array(4), view = new DataView(length.buffer);
  for (
    const part of [clientVersion, serverVersion, clientInit, serverInit, hostKey, clientShare, serverShare]
  ) {
    view.setUint32(0, part.length);
    hash.update(length).update(part);
  }
  return new Uint8Array(hash.update(of.secret).digest());
}

/** The letters of what is derived for one direction. */
const LETTERS = { up: { iv: "A", key: "C", macKey: "E" }, down: { iv: "B", key: "D", macKey: "F" } } as const;

/** Keys from client to server (`up`) or back, in the sizes that are asked for. */
export function deriveKeys(
  direction: "up" | "down",
  sizes: Readonly<Record<keyof Keys, number>>,
  { secret, hash, session }: { secret: Uint8Array; hash: Uint8Array; session: Uint8Array },
): Keys {
  const { iv, key, macKey } = LETTERS[direction];
  const derive = (letter: string, size: number) => derived(secret, hash, letter, session, size);
  return { iv: derive(iv, sizes.iv), key: derive(key, sizes.key), macKey: derive(macKey, sizes.macKey) };
}

/** K1 | K2 | ..., where K1 = HASH(K | H | letter | session id) and Kn = HASH(K | H | K1 | ... | Kn-1). */
function derived(
  secret: Uint8Array,
  hash: Uint8Array,
  letter: string,
  session: Uint8Array,
  size: number,
): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const next = createHash("sha256").update(secret).update(hash);
    if (at === 0) next.update(letter).update(session);
    else next.update(key.subarray(0, at));
    const block = next.digest(), part = block.subarray(0, size - at);
    key.set(part, at);
    at += part.length;
    block.fill(0);
  }
  return key;
}
