/** The key exchange methods by their names, the preferred one first. */
import { curve } from "./curve.ts";
import type { Exchange } from "./exchange.ts";
import { hybrid } from "./hybrid.ts";
import { loadMlKem } from "./ml_kem.ts";

const HYBRID = "mlkem768x25519-sha256";
const CURVES: readonly (readonly [string, Exchange])[] = [
  ["curve25519-sha256", curve("X25519")],
  ["curve25519-sha256@libssh.org", curve("X25519")],
  ["ecdh-sha2-nistp256", curve("P-256")],
];

/** Of this thread. */
let methods: ReadonlyMap<string, Exchange> = new Map(CURVES);

export const exchangeNames = (): readonly string[] => [...methods.keys()];

export function exchangeOf(name: string): Exchange | undefined {
  return methods.get(name);
}

/**
 * Readies the method that quantum computers do not break, which costs the thread some 50 ms once, in steps between which
 * `pause` is awaited: to be called before connections come. Until it resolves the others are offered alone.
 */
export async function prepareHybrid(pause: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  const kem = await loadMlKem(pause);
  methods = new Map([[HYBRID, hybrid(kem)], ...CURVES]);
}
