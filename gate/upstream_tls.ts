/**
 * TLS to upstreams: the contexts in which an engine speaks it, made when a dial first needs one, and kept over reloads
 * while their settings stay the same.
 */
import { formatTarget, type Target } from "./address.ts";
import type { Protocols } from "./contracts.ts";
import type { Stream } from "./streams.ts";
import { clientContext, type ClientSettings, type Context } from "./engine/openssl_context.ts";
import { openssl } from "./engine/openssl_library.ts";
import { systemStore } from "./engine/openssl_roots.ts";
import { inSlices } from "./engine/slices.ts";
import { asGateError, GateError } from "./errors.ts";
import type { Snapshot, UpstreamTlsRule } from "./snapshot.ts";

/** What is spoken to upstreams. */
const ALPN = ["http/1.1"];
/** Of a route that says nothing of it. */
const STANDARD: UpstreamTlsRule = { digest: "" };

/** For whom a handshake is made: it may be given up meanwhile. */
interface Client {
  readonly over: boolean;
  wrapping: { cancel(reason: GateError): void } | undefined;
}

const gone = () => new GateError("closed", "client", "Cannot connect: the client is gone");

/** The kind of an upstream that is spoken to under this rule. */
export const tlsKind = ({ digest }: UpstreamTlsRule = STANDARD): string => `tls ${digest}`;

export class UpstreamTls {
  /** By the digest of their settings. */
  readonly #contexts = new Map<string, Context>();
  readonly #protocols: Protocols;

  constructor(protocols: Protocols) {
    this.#protocols = protocols;
  }

  /**
   * MOVES `lower`, whose handshake has `ms`. Rejects with GateError, the stream closed: as the handshake failed, and
   * "refused" where the certificate is not believed.
   */
  async secure(
    lower: Stream,
    target: Target,
    rule: UpstreamTlsRule = STANDARD,
    ms: number,
    client: Client,
  ): Promise<Stream> {
    const name = rule.serverName ?? target.host, controller = new AbortController();
    client.wrapping = { cancel: (reason) => controller.abort(reason) };
    try {
      if (client.over) throw gone();
      const { secure } = Object.values(this.#protocols).find((protocol) => protocol.secure) ?? {};
      if (!secure) throw new GateError("unsupported", "gate", "Cannot connect: nothing here speaks TLS");
      const context = this.#contextOf(rule);
      const stream = await secure(lower, { context, name, timeout: ms, signal: controller.signal });
      if (!client.over) return stream;
      stream[Symbol.dispose]();
      throw gone();
    } catch (thrown) {
      lower[Symbol.dispose](); // where it was not moved yet
      const cause = asGateError(thrown);
      if (cause.side === "client") throw cause;
      const act = `Cannot speak TLS to ${formatTarget(target)} as ${JSON.stringify(name)}`;
      const reason = new GateError(cause.failure, cause.side, act, cause);
      reason.limit = cause.limit;
      throw reason;
    } finally {
      client.wrapping = undefined;
    }
  }

  /** Frees what this snapshot has no use for; connections keep what they have of it. */
  keep({ routes }: Pick<Snapshot, "routes">): void {
    const secure = routes.filter(({ to }) => to.some(({ secure }) => secure));
    // To look for the library, and for the roots of the system, takes longer than a handshake may.
    if (secure.some(({ upstreamTls = STANDARD }) => believed(upstreamTls) === "system")) {
      systemStore(openssl());
    } else if (secure.length > 0) openssl();
    if (this.#contexts.size === 0) return;
    const wanted = new Set(secure.map(({ upstreamTls = STANDARD }) => upstreamTls.digest));
    const gone: Context[] = [];
    for (const [digest, context] of this.#contexts) {
      if (wanted.has(digest)) continue;
      this.#contexts.delete(digest);
      gone.push(context);
    }
    inSlices(gone, (context) => context[Symbol.dispose](), () => {});
  }

  #contextOf(rule: UpstreamTlsRule): Context {
    const kept = this.#contexts.get(rule.digest);
    if (kept) return kept;
    const context = clientContext({ roots: believed(rule), alpn: ALPN, keyPair: rule.keyPair });
    this.#contexts.set(rule.digest, context);
    return context;
  }
}

const believed = ({ roots, insecure }: UpstreamTlsRule): ClientSettings["roots"] =>
  insecure ? "any" : roots === undefined ? "system" : { pem: roots };
