/** Diffie-Hellman on one curve: RFC 8731 (X25519) and RFC 5656 4 (P-256). K is a number. */
import { Agreement, type AgreementCurve } from "../../../gate/engine/openssl_agreement.ts";
import { encoded } from "../wire.ts";
import type { Answer, ClientSide, Exchange } from "./exchange.ts";

export const curve = (name: AgreementCurve): Exchange => ({
  begin: () => new CurveSide(name),
  answer: (theirs): Answer | undefined => {
    using side = new CurveSide(name);
    const secret = side.secretWith(theirs);
    return secret && { share: side.share, secret };
  },
});

class CurveSide implements ClientSide {
  readonly share: Uint8Array;
  readonly #pair: Agreement;

  constructor(name: AgreementCurve) {
    this.#pair = new Agreement(name);
    this.share = this.#pair.share;
  }

  secretWith(theirs: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const secret = this.#pair.secretWith(theirs);
    if (secret === undefined) return undefined;
    const number = encoded((to) => to.mpint(secret));
    secret.fill(0);
    return number;
  }

  [Symbol.dispose](): void {
    this.#pair[Symbol.dispose]();
  }
}
