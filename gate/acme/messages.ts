/** What main and the thread that speaks to an authority tell each other: plain data. */
import type { PendingChallenges } from "./pending.ts";

/** RFC 8737, RFC 8555 8.3: which of them an order tries. */
const CHALLENGES = ["tls-alpn-01", "http-01"] as const;
export type Challenge = typeof CHALLENGES[number];

/** With whom, and as whom. */
export interface Terms {
  /** URL of the directory. */
  readonly directory: string;
  /** PEM of the roots that vouch for it; absent: Mozilla's. */
  readonly roots?: string;
  readonly email?: string;
  /** PEM (PKCS #8, P-256): who has it is the account. */
  readonly accountKey: string;
}

/** A certificate with those behind it, and its key: PEM. */
export interface IssuedPair {
  readonly chain: string;
  readonly key: string;
}

/** Main to the thread. */
export type Command =
  | { readonly op: "start"; readonly terms: Terms }
  /** A certificate for this name alone. */
  | { readonly op: "order"; readonly id: number; readonly name: string; readonly challenge: Challenge }
  /** Every engine answers what that order asked to have published. */
  | { readonly op: "published"; readonly id: number };

/** Why an order came to no certificate. */
export type Failed = Extract<Outcome, { op: "failed" }>;

/** How an order ends. */
export type Outcome =
  | { readonly op: "issued"; readonly id: number; readonly pair: IssuedPair }
  | {
    readonly op: "failed";
    readonly id: number;
    /** A sentence. */
    readonly reason: string;
    /** The authority did not see what it was to be shown: another challenge may do. */
    readonly unproven: boolean;
    /** ms that the authority wants to be left alone. */
    readonly retryAfter?: number;
  };

/** The thread to main. */
export type Told =
  | Outcome
  | { readonly op: "publish"; readonly id: number; readonly challenges: PendingChallenges };
