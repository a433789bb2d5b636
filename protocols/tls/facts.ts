import type { Connection, PeerCertificate } from "../../gate/engine/openssl.ts";

/** What a handshake agreed on. */
export interface TlsFacts {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** Undefined: nothing was agreed. */
  readonly alpn: string | undefined;
  /** The peer's; verified, unless the context believes anyone. */
  readonly certificate: PeerCertificate | undefined;
  readonly resumed: boolean;
}

export function factsOf({ version, alpn, certificate, resumed }: Connection): TlsFacts {
  return { version, alpn: alpn === "" ? undefined : alpn, certificate, resumed };
}
