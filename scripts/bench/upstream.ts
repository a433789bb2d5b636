/** What stands behind everyone: a sink, and the ClientHello that begins every connection to it. */
import { Child } from "./process.ts";
import { type Mode, MODES } from "./wire.ts";

/** The name that routes by SNI are found by. */
export const SERVER_NAME = "bench.test";

export interface Upstream {
  /** Of 127.0.0.1. */
  readonly port: number;
  /** A whole TLS record. */
  readonly hello: readonly number[];
}

/** A sink in a process of its own. */
export async function startUpstream(): Promise<Upstream & AsyncDisposable> {
  const hello = await clientHello(SERVER_NAME);
  const child = Child.script("sink.ts", String(prologue(hello, "answer").length));
  const port = Number(await child.line());
  return { port, hello, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** What a connection begins with. */
export const prologue = (hello: readonly number[], mode: Mode): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(...hello, MODES[mode]);

/** A real ClientHello for a server name: what Deno's own TLS sends first. */
export async function clientHello(name: string): Promise<number[]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const plain = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  const client = await Deno.startTls(plain, { hostname: name });
  const failed = client.handshake().catch(() => {}); // it will: nobody answers
  const record = new Uint8Array(16 * 1024);
  let size = 0;
  // RFC 8446 5.1: a header of five bytes that ends with the length.
  while (size < 5 || size < 5 + (record[3] << 8 | record[4])) {
    size += (await server.read(record.subarray(size)))!;
  }
  server.close();
  await failed;
  client.close();
  return [...record.subarray(0, size)];
}
