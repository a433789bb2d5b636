/** Shakes hands so often on a thread of its own, with a protocol of its own; answers what went wrong. */
import { clientContext, type KeyPair, serverContext } from "../../gate/engine/openssl_context.ts";
import { shaken } from "./handshakes.ts";

export interface Task {
  readonly keyPair: KeyPair;
  readonly root: string;
  readonly name: string;
  readonly times: number;
  readonly protocol: string;
}

const scope = self as unknown as DedicatedWorkerGlobalScope;
scope.onmessage = ({ data: { keyPair, root, name, times, protocol } }: MessageEvent<Task>) => {
  using server = serverContext({ keyPair, alpn: [protocol, "other"], scope: protocol });
  using client = clientContext({ roots: { pem: root }, alpn: ["other", protocol] });
  let wrong = 0;
  for (let i = 0; i < times; i++) {
    const [a, b] = shaken(client, server, name);
    if (a.alpn !== protocol || b.alpn !== protocol) wrong++;
    a[Symbol.dispose]();
    b[Symbol.dispose]();
  }
  scope.postMessage({ wrong });
};
