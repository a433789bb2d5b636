/** What we can, in the order of our preference: KEXINIT's lists, and what the peer's have to do with them. */
import { hasAesInstructions } from "../../gate/engine/openssl_ciphers.ts";
import type { Direction, KexInit } from "./kexinit.ts";
import { exchangeNames } from "./kex/exchanges.ts";
import { MACS } from "./protection/ciphers.ts";

export type Role = "client" | "server";

/** Marks among the key exchanges of the first KEXINIT: what a side is able to (RFC 8308 2.1; PROTOCOL of OpenSSH, 1.10). */
export const EXT_INFO_CLIENT = "ext-info-c", EXT_INFO_SERVER = "ext-info-s";
export const STRICT: Readonly<Record<Role, string>> = {
  client: "kex-strict-c-v00@openssh.com",
  server: "kex-strict-s-v00@openssh.com",
};

const GCM = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"];
const CHACHA = ["chacha20-poly1305@openssh.com"];
const CTR = ["aes128-ctr", "aes192-ctr", "aes256-ctr"];
const COMPRESSIONS = ["none"];

let instructions: boolean | undefined;

/** Whether AES is the fastest here: then a server had best see what its client can before it offers anything. */
export const prefersAes = (): boolean => instructions ??= hasAesInstructions();

/**
 * What `role` offers. `theirs`: the peer's KEXINIT, where it is there already. Its client's order decides, and common ones
 * have chacha20 first: with instructions for AES a server that knows of a client's GCM offers nothing else.
 */
export function offerOf(
  role: Role,
  hostKeys: readonly string[],
  isFirst: boolean,
  theirs: KexInit | undefined,
  aes = prefersAes(),
): KexInit {
  const marks = role === "client" ? [EXT_INFO_CLIENT, STRICT.client] : [STRICT.server];
  const direction = (there: Direction | undefined): Direction => ({
    ciphers: ciphersFor(role === "server" ? there?.ciphers : undefined, aes),
    macs: Object.keys(MACS),
    compressions: COMPRESSIONS,
  });
  return {
    exchanges: [...exchangeNames(), ...isFirst ? marks : []],
    hostKeys,
    up: direction(theirs?.up),
    down: direction(theirs?.down),
    guesses: false,
  };
}

function ciphersFor(theirs: readonly string[] | undefined, aes: boolean): readonly string[] {
  if (!aes) return [...CHACHA, ...GCM, ...CTR];
  return theirs?.some((name) => GCM.includes(name)) ? GCM : [...GCM, ...CHACHA, ...CTR];
}
