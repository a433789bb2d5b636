/**
 * JSON Web Tokens (RFC 7519): whether one is its issuer's, for us, of now, and has the claims of a rule. Runs on the main
 * thread: WebCrypto is not for engines. They remember what is right.
 */
import { createLocalJWKSet, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose";
import type { TokenAnswer, TokenRule } from "./requests.ts";
import { GateError } from "./errors.ts";
import { isFieldText } from "./field_text.ts";
import { type Issuer, type KeySet, readKeySet } from "./key_set.ts";
import type { GivenToken } from "./orders.ts";
import { Places } from "./places.ts";
import { RemoteKeys, type RemoteKeysOptions } from "./remote_keys.ts";
import { Throttle, type Throttled } from "./throttle.ts";

/** Of key pairs: with a secret that is shared, who verifies can sign; and `none` is no signature. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** How far the issuer's clock may be from ours, s. */
const LEEWAY = 30;
/** A key that its issuer takes away verifies no token for longer, ms. */
const REMEMBERED = 5 * 60_000;
/** Tokens that wait for keys to be fetched again, in all and of one source; others learn at once that theirs is not known. */
const MOST_LOOKING = 512, MOST_OF_SOURCE = 64;
/** Keys that are tried where a token does not say which. */
const MOST_TRIED = 8;

export interface TokenVerifierOptions extends RemoteKeysOptions {
  /** Told when a source gave so many forged tokens that it has to wait, at most once a minute for each. */
  readonly throttled?: (throttled: Throttled) => void;
}

type Finder = (...asked: Parameters<ReturnType<typeof createLocalJWKSet>>) => Promise<CryptoKey>;

interface Keys {
  current(): Promise<KeySet>;
  renewed(): Promise<KeySet | undefined>;
}

interface Known {
  readonly described: string;
  readonly keys: Keys;
}

export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #throttle: Throttle;
  readonly #looking = new Places(MOST_LOOKING, MOST_OF_SOURCE);
  #known = new Map<string, Known>();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#throttle = new Throttle(options.now ?? (() => performance.now()), "tokens");
  }

  /** Keys of issuers that stay as they are stay, too. */
  replace(issuers: readonly Issuer[]): void {
    const before = this.#known;
    this.#known = new Map(issuers.map((issuer) => {
      const described = JSON.stringify(issuer.keys), there = before.get(issuer.issuer);
      if (there?.described === described) return [issuer.issuer, there];
      return [issuer.issuer, { described, keys: this.#keysOf(issuer) }];
    }));
  }

  /**
   * Never rejects for what a client sent; with GateError where the issuer's keys are not known. Only forged signatures
   * count against a source: what is old, or for others, tells of no attack.
   */
  async check({ rule, token, source, listener, protocol }: GivenToken): Promise<TokenAnswer | "throttled"> {
    const keys = this.#known.get(rule.issuer)?.keys;
    if (!keys) return { verdict: "wrong", why: "its issuer is not known here" };
    if (!this.#throttle.admits(source)) return "throttled";
    try {
      return answerOf(await verify(token, rule, this.#keysFor(source, keys)), rule);
    } catch (thrown) {
      if (!(thrown instanceof errors.JOSEError)) throw unusable(thrown, rule.issuer);
      if (thrown instanceof errors.JWSSignatureVerificationFailed) {
        const failures = this.#throttle.fail(source);
        if (failures !== undefined) {
          this.#options.throttled?.({ source, listener, protocol, what: "tokens", failures });
        }
      }
      return { verdict: "wrong", why: reasonOf(thrown) };
    }
  }

  /** Who makes up names of keys holds up nobody whose key is known, however slow the issuer is. */
  #keysFor(source: string, keys: Keys): Keys {
    const looking = this.#looking;
    return {
      current: () => keys.current(),
      renewed: () =>
        looking.lack(source) ? Promise.resolve(undefined) : looking.during(source, () => keys.renewed()),
    };
  }

  #keysOf({ issuer, keys }: Issuer): Keys {
    if ("url" in keys) return new RemoteKeys(issuer, keys.url, this.#options);
    const set = readKeySet(keys.text); // which the checks of the configuration have read
    const known: KeySet = typeof set === "string" ? { keys: [] } : set;
    return { current: () => Promise.resolve(known), renewed: () => Promise.resolve(undefined) };
  }
}

/** What is thrown besides is about a key that the issuer has in its set. */
const unusable = (thrown: unknown, issuer: string): GateError =>
  thrown instanceof GateError ? thrown : new GateError(
    "unreachable",
    "gate",
    `Cannot verify tokens of ${issuer}: a key of its set is none`,
    thrown,
  );

/** Rejects with JOSEError, and as RemoteKeys. */
async function verify(token: string, rule: TokenRule, keys: Keys): Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    algorithms: ALGORITHMS,
    issuer: rule.issuer,
    audience: [...rule.audiences],
    clockTolerance: LEEWAY,
    requiredClaims: ["exp"],
  };
  try {
    return await verifyBy(() => keys.current(), token, options);
  } catch (thrown) {
    const renewed = thrown instanceof errors.JWKSNoMatchingKey ? await keys.renewed() : undefined;
    if (!renewed) throw thrown;
    return await verifyBy(() => Promise.resolve(renewed), token, options);
  }
}

/** The keys are asked for only where the token has a head that may find one. */
async function verifyBy(
  keys: () => Promise<KeySet>,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  const find: Finder = async (head, signed) => await finderOf(await keys())(head, signed);
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (thrown) {
    if (!(thrown instanceof errors.JWKSMultipleMatchingKeys)) throw thrown;
    let tried = 0;
    for await (const key of thrown) {
      if (++tried > MOST_TRIED) break;
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (other) {
        if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

const finders = new WeakMap<KeySet, Finder>();

/** The one of a set keeps the keys that it has imported. */
function finderOf(set: KeySet): Finder {
  const there = finders.get(set) ?? createLocalJWKSet({ keys: [...set.keys] });
  finders.set(set, there);
  return there;
}

function answerOf(payload: JWTPayload, { claims }: TokenRule): TokenAnswer {
  const { sub, exp } = payload;
  if (sub !== undefined && (typeof sub !== "string" || !isFieldText(sub))) {
    return { verdict: "wrong", why: "its sub cannot be told in a field" };
  }
  if (!Object.entries(claims).every(([name, wanted]) => hasClaim(payload, name, wanted))) {
    return { verdict: "misfit" };
  }
  const expires = (exp! + LEEWAY) * 1000;
  return { verdict: "right", subject: sub, until: Math.min(Date.now() + REMEMBERED, expires), expires };
}

/** The value itself, or one of a list; `scope` is a list with spaces between (RFC 8693 4.2). */
function hasClaim(payload: JWTPayload, name: string, wanted: string): boolean {
  if (!Object.hasOwn(payload, name)) return false;
  const value = payload[name];
  if (name === "scope" && typeof value === "string" && value.split(" ").includes(wanted)) return true;
  return (Array.isArray(value) ? value : [value]).some((one) => isScalar(one) && String(one) === wanted);
}

const isScalar = (value: unknown): boolean => ["string", "number", "boolean"].includes(typeof value);

/** For the client: what is wrong, and nothing of what would be right. */
function reasonOf(thrown: errors.JOSEError): string {
  if (thrown instanceof errors.JWTExpired) return "it is expired";
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    return thrown.reason === "missing" ? `it has no ${thrown.claim}` : `its ${thrown.claim} does not fit`;
  }
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  if (thrown instanceof errors.JWKSNoMatchingKey) return "its key is not known";
  if (thrown instanceof errors.JOSEAlgNotAllowed) return "its algorithm is not allowed";
  return "it is malformed";
}
