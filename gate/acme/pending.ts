/** What authorities are to be shown while orders run (RFC 8555 8.3, RFC 8737): plain data that main tells the engines. */
import type { KeyPair } from "../engine/openssl_context.ts";

/** Each token, and each name, once. */
export interface PendingChallenges {
  /** `text` is what an authority reads at the path of the token. */
  readonly http: readonly { readonly token: string; readonly text: string }[];
  /** The certificate that an authority sees where it asks for the name. */
  readonly tls: readonly { readonly name: string; readonly keyPair: KeyPair }[];
}

export const NO_CHALLENGES: PendingChallenges = { http: [], tls: [] };
