/** KEXINIT (RFC 4253 7.1): what a side can, in the order of its preference. */
import { randomFillSync } from "node:crypto";
import { KEXINIT } from "./numbers.ts";
import { encoded, Reader } from "./wire.ts";

/** What is needed for one direction. */
export interface Direction {
  readonly ciphers: readonly string[];
  readonly macs: readonly string[];
  readonly compressions: readonly string[];
}

export interface KexInit {
  readonly exchanges: readonly string[];
  readonly hostKeys: readonly string[];
  /** From client to server, and back. */
  readonly up: Direction;
  readonly down: Direction;
  /** The next packet of this side is a guess. */
  readonly guesses: boolean;
}

const COOKIE = 16;

/** The message's payload. */
export function writeKexInit(init: KexInit): Uint8Array<ArrayBuffer> {
  const { exchanges, hostKeys, up, down, guesses } = init;
  return encoded((to) => {
    to.byte(KEXINIT).raw(randomFillSync(new Uint8Array(COOKIE)));
    to.nameList(exchanges).nameList(hostKeys);
    to.nameList(up.ciphers).nameList(down.ciphers);
    to.nameList(up.macs).nameList(down.macs);
    to.nameList(up.compressions).nameList(down.compressions);
    to.nameList([]).nameList([]); // languages
    to.boolean(guesses).uint32(0);
  });
}

/** Of a payload, its number included; undefined: it is none. */
export function readKexInit(payload: Uint8Array): KexInit | undefined {
  const from = new Reader(payload);
  if (from.byte() !== KEXINIT) return undefined;
  from.raw(COOKIE);
  const lists = Array.from({ length: 10 }, () => from.nameList());
  const guesses = from.boolean();
  from.uint32(); // for extensions to come: whatever it is
  if (!from.whole) return undefined;
  const [exchanges, hostKeys, upCiphers, downCiphers, upMacs, downMacs, upCompressions, downCompressions] =
    lists;
  return {
    exchanges,
    hostKeys,
    up: { ciphers: upCiphers, macs: upMacs, compressions: upCompressions },
    down: { ciphers: downCiphers, macs: downMacs, compressions: downCompressions },
    guesses,
  };
}
