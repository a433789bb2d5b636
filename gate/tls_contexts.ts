/**
 * The contexts in which TLS ends on an engine. To make one takes as long as a handshake, and to make thousands at once
 * would hold everybody up: so the first ones are made ahead, one in a turn, the others when a connection needs them, as
 * a part of its handshake. They are kept over reloads while their certificate and their settings stay the same.
 */
import { type Context, serverContext } from "./engine/openssl_context.ts";
import { again } from "./engine/loop.ts";
import { openssl } from "./engine/openssl_library.ts";
import { inSlices } from "./engine/slices.ts";
import type { CertificateRule, ClientCertificateRule, Snapshot } from "./snapshot.ts";

interface Kept {
  readonly context: Context;
  readonly certificate: string;
  readonly clients: string;
}

const NOBODY_ASKED = "";
/** So many are made ahead: 50 KiB each, and half a second in all on a slow machine. */
const MOST_AHEAD = 64;
/** ALPN where what is inside are requests; elsewhere it is not known, and no protocol is promised. */
export const REQUESTS: readonly string[] = ["http/1.1", "http/1.0"], ANYTHING: readonly string[] = [];

export class TlsContexts {
  readonly #kept = new Map<string, Kept>();
  #ticketKeys: Uint8Array;
  /** To be made ahead. */
  #ahead: (() => void)[] = [];

  constructor(ticketKeys: Uint8Array) {
    this.#ticketKeys = ticketKeys;
  }

  /** `alpn` as serverContext has it. Throws GateError as that. */
  of(
    certificate: CertificateRule,
    clients: ClientCertificateRule | undefined,
    alpn: readonly string[],
  ): Context {
    const digests = { certificate: certificate.digest, clients: clients?.digest ?? NOBODY_ASKED };
    const key = `${digests.certificate} ${digests.clients} ${alpn.join()}`;
    const kept = this.#kept.get(key);
    if (kept) return kept.context;
    const context = serverContext({
      keyPair: certificate,
      alpn,
      clientCertificates: clients,
      ticketKeys: this.#ticketKeys,
      scope: key, // a connection has a narrower one
    });
    this.#kept.set(key, { context, ...digests });
    return context;
  }

  /** Frees what this snapshot has no use for, and begins to make what it has; connections keep what they have. */
  keep(snapshot: Snapshot): void {
    const { certificates, listeners } = snapshot;
    if (certificates.length > 0) openssl(); // to find and open it takes longer than a handshake may
    this.#makeAhead(snapshot);
    if (this.#kept.size === 0) return;
    const wanted = new Set(certificates.map(({ digest }) => digest));
    const asked = new Set(
      Object.values(listeners).map(({ clientCertificates }) => {
        return clientCertificates?.digest ?? NOBODY_ASKED;
      }),
    );
    const gone: Context[] = [];
    for (const [key, { context, certificate, clients }] of this.#kept) {
      if (wanted.has(certificate) && asked.has(clients)) continue;
      this.#kept.delete(key);
      gone.push(context);
    }
    inSlices(gone, (context) => context[Symbol.dispose](), () => {});
  }

  #makeAhead({ certificates, listeners, routes }: Snapshot): void {
    const inside = [
      ...routes.some(({ http }) => http) ? [REQUESTS] : [],
      ...routes.some(({ http, tls }) => tls && !http) ? [ANYTHING] : [],
    ];
    const clients = new Map(
      Object.values(listeners).map(({ clientCertificates: asked }) => [asked?.digest, asked]),
    );
    const idle = this.#ahead.length === 0;
    this.#ahead = certificates.filter(({ pending }) => !pending).slice(0, MOST_AHEAD).flatMap((certificate) =>
      [...clients.values()].flatMap((asked) =>
        inside.map((alpn) => () => void this.of(certificate, asked, alpn))
      )
    ).slice(0, MOST_AHEAD);
    if (idle && this.#ahead.length > 0) again(this.#makeNext);
  }

  readonly #makeNext = (): void => {
    try {
      this.#ahead.shift()?.();
    } finally {
      if (this.#ahead.length > 0) again(this.#makeNext);
    }
  };

  /** Tickets are issued and accepted under these keys from now on. */
  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys;
    for (const { context } of this.#kept.values()) context.setTicketKeys(keys);
  }
}
