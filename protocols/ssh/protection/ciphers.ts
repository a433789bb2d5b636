/** The ciphers and MACs by their names, what of derived keys each needs, and what makes packets of it. */
import { ChaChaOpener, ChaChaSealer } from "./chacha.ts";
import { type Authentication, CtrOpener, CtrSealer } from "./ctr.ts";
import { GcmOpener, GcmSealer } from "./gcm.ts";
import type { Opener, Sealer } from "./protection.ts";

/** Keys and IVs of one direction, of the sizes that were asked for (RFC 4253 7.2). */
export interface Keys {
  readonly iv: Uint8Array;
  readonly key: Uint8Array;
  readonly macKey: Uint8Array;
}

interface CipherKind {
  readonly keySize: number;
  readonly ivSize: number;
  /** Whether it authenticates by itself, so that no MAC is agreed on. */
  readonly authenticates: boolean;
  seal(keys: Keys, mac: Authentication): Sealer;
  open(keys: Keys, mac: Authentication): Opener;
}

const gcm = (keySize: number): CipherKind => ({
  keySize,
  ivSize: 12,
  authenticates: true,
  seal: ({ key, iv }) => new GcmSealer(key, iv),
  open: ({ key, iv }) => new GcmOpener(key, iv),
});

const ctr = (keySize: number): CipherKind => ({
  keySize,
  ivSize: 16,
  authenticates: false,
  seal: ({ key, iv }, mac) => new CtrSealer(key, iv, mac),
  open: ({ key, iv }, mac) => new CtrOpener(key, iv, mac),
});

export const CIPHERS: Readonly<Record<string, CipherKind>> = {
  "aes128-gcm@openssh.com": gcm(16),
  "aes256-gcm@openssh.com": gcm(32),
  "chacha20-poly1305@openssh.com": {
    keySize: 64,
    ivSize: 0,
    authenticates: true,
    seal: ({ key }) => new ChaChaSealer(key),
    open: ({ key }) => new ChaChaOpener(key),
  },
  "aes128-ctr": ctr(16),
  "aes192-ctr": ctr(24),
  "aes256-ctr": ctr(32),
};

type MacScheme = Omit<Authentication, "key"> & { readonly keySize: number };

export const MACS: Readonly<Record<string, MacScheme>> = {
  "hmac-sha2-256-etm@openssh.com": { kind: "hmac-sha256", afterwards: true, keySize: 32 },
  "hmac-sha2-512-etm@openssh.com": { kind: "hmac-sha512", afterwards: true, keySize: 64 },
  "hmac-sha2-256": { kind: "hmac-sha256", afterwards: false, keySize: 32 },
  "hmac-sha2-512": { kind: "hmac-sha512", afterwards: false, keySize: 64 },
};

/** What was agreed on for one direction: names of the tables. A cipher that authenticates by itself ignores `mac`. */
export interface Protection {
  readonly cipher: string;
  readonly mac: string;
}

export function sizesOf({ cipher, mac }: Protection): Record<keyof Keys, number> {
  const { keySize, ivSize, authenticates } = CIPHERS[cipher];
  return { iv: ivSize, key: keySize, macKey: authenticates ? 0 : MACS[mac].keySize };
}

export function sealerOf({ cipher, mac }: Protection, keys: Keys): Sealer {
  return CIPHERS[cipher].seal(keys, { ...MACS[mac], key: keys.macKey });
}

export function openerOf({ cipher, mac }: Protection, keys: Keys): Opener {
  return CIPHERS[cipher].open(keys, { ...MACS[mac], key: keys.macKey });
}
