/**
 * What an authority asks of this gate before it certifies a name (RFC 8555 8.3, RFC 8737): answered on every listener,
 * while main waits for it, for the names and tokens that main told and for no others.
 */
import type { PendingChallenges } from "./acme/pending.ts";
import type { Connection } from "./connection.ts";
import type { Termination } from "./contracts.ts";
import { type Context, type KeyPair, serverContext } from "./engine/openssl_context.ts";
import { openssl } from "./engine/openssl_library.ts";
import { GateError } from "./errors.ts";

/** The token stands behind it. */
const PATH = "/.well-known/acme-challenge/";
/** RFC 8737 6.2. */
const ACME_TLS = "acme-tls/1";
/** Who is asked stands in the record in place of a route. */
const ROUTE = "acme";
const TICKETS = new TextEncoder().encode(ROUTE);

interface Pair {
  readonly keyPair: KeyPair;
  context?: Context;
}

/** One that is pending still is the same for who is between his hello and its answer. */
const pairOf = (keyPair: KeyPair, before: Pair | undefined): Pair =>
  before?.keyPair.chain === keyPair.chain && before.keyPair.key === keyPair.key ? before : { keyPair };

/** Those of an engine. */
export class Challenges {
  #texts: ReadonlyMap<string, string> = new Map();
  #pairs: ReadonlyMap<string, Pair> = new Map();

  /** These are pending, and no others. */
  replace({ http, tls }: PendingChallenges): void {
    if (tls.length > 0) openssl(); // to find and open it takes longer than a handshake may
    this.#texts = new Map(http.map(({ token, text }) => [PATH + token, text]));
    const before = this.#pairs;
    this.#pairs = new Map(tls.map(({ name, keyPair }) => [name, pairOf(keyPair, before.get(name))]));
    for (const [name, pair] of before) if (this.#pairs.get(name) !== pair) pair.context?.[Symbol.dispose]();
  }

  /** Whether a path may be one that an authority asks for. */
  get byPath(): boolean {
    return this.#texts.size > 0;
  }

  /** The answer to a GET of this path; undefined: it is no challenge. */
  text(path: string, conn: Connection): string | undefined {
    const text = this.#texts.get(path);
    if (text !== undefined) conn.route = ROUTE;
    return text;
  }

  /** For who offers this protocol alone and gives a pending name; undefined: it is no challenge. Throws as serverContext. */
  termination(conn: Connection): Termination | undefined {
    const { alpn, serverName = "" } = conn.peer;
    const pair = alpn === ACME_TLS ? this.#pairs.get(serverName) : undefined;
    if (!pair) return undefined;
    conn.route = ROUTE;
    return { context: () => this.#contextOf(serverName, pair), tickets: TICKETS, inside: "nothing" };
  }

  #contextOf(name: string, pair: Pair): Context {
    if (this.#pairs.get(name) !== pair) {
      throw new GateError(
        "closed",
        "gate",
        `Cannot answer the challenge of ${JSON.stringify(name)}: it is over`,
      );
    }
    return pair.context ??= serverContext({ keyPair: pair.keyPair, alpn: [ACME_TLS], scope: ROUTE });
  }
}
