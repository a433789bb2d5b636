/** node:tls as a client of the gate: independent of libssl as the gate uses it. */
import tls from "node:tls";
import type net from "node:net";
import { Client } from "./net.ts";

export interface TlsClient extends AsyncDisposable {
  readonly client: Client;
  readonly socket: tls.TLSSocket;
}

/** Shakes hands with `127.0.0.1:port`, or over `socket`; rejects where the certificate is not believed. */
export async function connectSecure(
  options: tls.ConnectionOptions & { readonly port?: number; readonly socket?: net.Socket },
): Promise<TlsClient> {
  const socket = tls.connect({ host: "127.0.0.1", allowHalfOpen: true, ...options } as tls.ConnectionOptions);
  const client = new Client(socket);
  try {
    await new Promise<void>((secure, failed) => {
      socket.once("secureConnect", () => secure());
      socket.once("error", failed);
      socket.once("close", () => failed(new Error("closed during the handshake")));
    });
  } catch (thrown) {
    await client[Symbol.asyncDispose]();
    throw thrown;
  }
  return { client, socket, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

/** The fingerprint of the server's certificate, as the gate spells it. */
export const fingerprintOf = (socket: tls.TLSSocket): string =>
  socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase();
