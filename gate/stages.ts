/** The stages of a connection's way, and how long each took. */

/** ms; those that were not are absent. */
export interface Stages {
  /** Telling the protocol. */
  readonly sniff?: number;
  /** From there until it asked to connect. */
  readonly handshake?: number;
  /** Finding the target's addresses. */
  readonly resolve?: number;
  /** From there until a dial stood. */
  readonly dial?: number;
}

/** When a connection began, and when each stage was over: the loop's time, 0: it was not. */
export interface Milestones {
  readonly began: number;
  /** Its protocol was known. */
  readonly toldAt: number;
  /** It asked to connect. */
  readonly askedAt: number;
  /** Its target was resolved: 0 also where there was nothing to ask. */
  readonly resolvedAt: number;
  /** Its dial stood. */
  readonly stoodAt: number;
}

/** What came after telling apart is told where it came once: requests have lines of their own. */
export function stagesOf(
  { began, toldAt, askedAt, resolvedAt, stoodAt, requests = 0 }: Milestones & { readonly requests?: number },
): Stages {
  const once = requests === 0;
  return {
    sniff: toldAt ? toldAt - began : undefined,
    handshake: once && askedAt ? askedAt - (toldAt || began) : undefined,
    resolve: once && resolvedAt ? resolvedAt - askedAt : undefined,
    dial: once && stoodAt ? stoodAt - (resolvedAt || askedAt) : undefined,
  };
}
