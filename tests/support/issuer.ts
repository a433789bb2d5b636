/** An issuer of tokens for tests: keys of its own, tokens signed by them, and a server that answers its key set. */
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

interface Key {
  readonly sign: CryptoKey;
  readonly jwk: JWK;
}

export class TestIssuer implements AsyncDisposable {
  readonly keys = new Map<string, Key>();
  /** How often its key set was asked for. */
  asked = 0;
  /** In place of its key set. */
  answer: (() => Response | Promise<Response>) | undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      this.asked++;
      return this.answer?.() ?? new Response(this.set);
    });
  }

  /** With one key. */
  static async start(kid = "one", algorithm = "ES256"): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    await issuer.addKey(kid, algorithm);
    return issuer;
  }

  get name(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get url(): string {
    return `${this.name}/jwks.json`;
  }

  /** The set of its public keys. */
  get set(): string {
    return JSON.stringify({ keys: Array.from(this.keys.values(), ({ jwk }) => jwk) });
  }

  async addKey(kid: string, algorithm = "ES256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    this.keys.set(kid, { sign: privateKey, jwk: { ...await exportJWK(publicKey), kid, alg: algorithm } });
  }

  /** Of `iss` this, `aud` app, `sub` alice, good for an hour, but for what `claims` say; `undefined` leaves one out. */
  async token(claims: JWTPayload = {}, kid = "one", header: Record<string, unknown> = {}): Promise<string> {
    const { sign, jwk } = this.keys.get(kid)!, now = Math.floor(Date.now() / 1000);
    const payload = { iss: this.name, aud: "app", sub: "alice", exp: now + 3600, ...claims };
    const given = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
    return await new SignJWT(given).setProtectedHeader({ alg: jwk.alg!, kid, ...header }).sign(sign);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A part of a token. */
export const part = (value: unknown): string =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value))
    .toBase64({ alphabet: "base64url", omitPadding: true });
