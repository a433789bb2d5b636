/** An authority that issues certificates (RFC 8555), as acme-client speaks to it. */
import * as acme from "acme-client";
import type { KeyPair } from "../engine/openssl_context.ts";
import type { Challenge, IssuedPair, Terms } from "./messages.ts";
import { NO_CHALLENGES, type PendingChallenges } from "./pending.ts";
import { fetchAdapter } from "./transport.ts";

/** Makes every engine answer these; resolves when they do. */
export type Publish = (challenges: PendingChallenges) => Promise<void>;

/** How often an authority is asked whether it has come to a result: at most a minute in all. */
const POLLING = { backoffAttempts: 10, backoffMin: 1000, backoffMax: 10_000 };

const TOO_MANY = 429, UNAVAILABLE = 503;

/** It wants to be left alone for so many ms. */
class Busy extends Error {
  constructor(message: string, readonly retryAfter: number | undefined) {
    super(message);
  }
}

/** It did not see what it was to be shown. */
export class Unproven extends Error {}

export class Authority {
  readonly #client: acme.Client;
  readonly #email: string | undefined;
  #account: Promise<unknown> | undefined;

  /** One for a thread: what the library knows of HTTP is the same for all its clients. */
  constructor({ directory, roots, email, accountKey }: Terms) {
    const { defaults, interceptors } = acme.axios;
    defaults.adapter = fetchAdapter(roots);
    // The library's own try again within the request, for as long as Retry-After says, and lose why a dial failed.
    interceptors.request.clear();
    interceptors.response.clear();
    interceptors.response.use((response) => {
      const { status, headers, data } = response;
      if (status !== TOO_MANY && status !== UNAVAILABLE) return response;
      throw new Busy(data?.detail ?? `HTTP status ${status}`, readRetryAfter(headers["retry-after"]));
    });
    this.#client = new acme.Client({ directoryUrl: directory, accountKey, ...POLLING });
    this.#email = email;
  }

  /** A certificate for this name alone, with a key of its own. Rejects with why there is none. */
  async certify(name: string, preferred: Challenge, publish: Publish): Promise<IssuedPair> {
    this.#account ??= this.#signIn();
    await this.#account;
    const client = this.#client;
    const order = await client.createOrder({ identifiers: [{ type: "dns", value: name }] });
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status !== "valid") await this.#prove(authorization, preferred, publish);
    }
    const key = await acme.crypto.createPrivateEcdsaKey("P-256");
    const [, request] = await acme.crypto.createCsr({ altNames: [name] }, key);
    const chain = await client.getCertificate(await client.finalizeOrder(order, request));
    return { chain, key: key.toString() };
  }

  /** Makes the account, or finds the one that this key has. */
  async #signIn(): Promise<void> {
    try {
      await this.#client.createAccount({
        termsOfServiceAgreed: true,
        contact: this.#email ? [`mailto:${this.#email}`] : [],
      });
    } catch (thrown) {
      this.#account = undefined; // the next order tries again
      throw thrown;
    }
  }

  async #prove(authorization: acme.Authorization, preferred: Challenge, publish: Publish): Promise<void> {
    const challenge = authorization.challenges.find(({ type }) => type === preferred);
    if (!challenge) {
      const offered = authorization.challenges.map(({ type }) => type).join(", ");
      throw new Unproven(`the authority offers ${offered}, and not ${preferred}`);
    }
    const text = await this.#client.getChallengeKeyAuthorization(challenge);
    if (preferred === "http-01") {
      await publish({ ...NO_CHALLENGES, http: [{ token: challenge.token, text }] });
    } else {
      const name = authorization.identifier.value, keyPair = await proof(authorization, text);
      await publish({ ...NO_CHALLENGES, tls: [{ name, keyPair }] });
    }
    await this.#client.completeChallenge(challenge);
    await this.#client.waitForValidStatus(challenge).catch((thrown) => {
      throw new Unproven(`${preferred}: ${reasonOf(thrown)}`, { cause: thrown });
    });
  }
}

/** The certificate that tells the authority in a handshake what it asked for (RFC 8737 3). */
async function proof(authorization: acme.Authorization, text: string): Promise<KeyPair> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const [, certificate] = await acme.crypto.createAlpnCertificate(authorization, text, key);
  return { chain: certificate.toString(), key: key.toString() };
}

/** RFC 9110 10.2.3: seconds, or a date; in ms from now on. */
export function readRetryAfter(value: unknown, now = Date.now()): number | undefined {
  const text = String(value ?? "").trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** One line, at most so many characters: it came from outside. */
const LONGEST_REASON = 500;

/** With the causes, as far as they say more. */
export function reasonOf(thrown: unknown): string {
  let text = "";
  for (let cause = thrown; cause !== undefined && text.length < LONGEST_REASON;) {
    const said = cause instanceof Error ? cause.message || cause.name : String(cause);
    if (!text.includes(said)) text += text === "" ? said : `: ${said}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text.replace(/[\s\p{Cc}]+/gu, " ").slice(0, LONGEST_REASON);
}

export function retryAfterOf(thrown: unknown): number | undefined {
  const cause = thrown instanceof Error && !(thrown instanceof Busy) ? thrown.cause : thrown;
  return cause instanceof Busy ? cause.retryAfter : undefined;
}
