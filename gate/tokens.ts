/** Whose tokens are believed, where anybody's are: what verifies them (and jose under it) is loaded with the first issuer. */
import type { TokenAnswer } from "./requests.ts";
import type { Issuer } from "./key_set.ts";
import type { GivenToken } from "./orders.ts";
import type { TokenVerifier, TokenVerifierOptions } from "./token_verifier.ts";

export class Tokens {
  readonly #options: TokenVerifierOptions;
  #verifier: TokenVerifier | undefined;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** Comes before replace() of these issuers. */
  async prepare(issuers: readonly Issuer[]): Promise<void> {
    if (this.#verifier || issuers.length === 0) return;
    const { TokenVerifier } = await import("./token_verifier.ts");
    this.#verifier ??= new TokenVerifier(this.#options);
  }

  /** These are believed from now on. */
  replace(issuers: readonly Issuer[]): void {
    this.#verifier?.replace(issuers);
  }

  /** Rejects with GateError where the issuer's keys are not known. */
  check(given: GivenToken): Promise<TokenAnswer | "throttled"> {
    return this.#verifier?.check(given) ??
      Promise.resolve({ verdict: "wrong", why: "its issuer is not known here" });
  }
}
