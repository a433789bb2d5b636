/**
 * The contexts in which TLS ends on an engine: made when a connection first needs one, for to make thousands of them at
 * once would hold everybody up, and kept over reloads while their certificate and their settings stay the same.
 */
import { type Context, serverContext } from "./engine/openssl_context.ts";
import { openssl } from "./engine/openssl_library.ts";
import { inSlices } from "./engine/slices.ts";
import type { CertificateRule, ClientCertificateRule, Snapshot } from "./snapshot.ts";

interface Kept {
  readonly context: Context;
  readonly certificate: string;
  readonly clients: string;
}

const NOBODY_ASKED = "";

export class TlsContexts {
  readonly #kept = new Map<string, Kept>();
  #ticketKeys: Uint8Array;

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

  /** Frees what this snapshot has no use for; connections keep what they have of it. */
  keep({ certificates, listeners }: Snapshot): void {
    if (certificates.length > 0) openssl(); // to find and open it takes longer than a handshake may
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

  /** Tickets are issued and accepted under these keys from now on. */
  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys;
    for (const { context } of this.#kept.values()) context.setTicketKeys(keys);
  }
}
