/** Loopback peers for tests: servers on port 0, a SOCKS client, and whole reads. */
import net from "node:net";
import tls from "node:tls";

export { pattern } from "./pattern.ts";

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly sockets: net.Socket[];
}

/** PEM, of a server of TLS. */
export interface ServedAs {
  readonly chain: string;
  readonly key: string;
}

/**
 * Serves every connection with `serve`, half-open as the gate is; at a path, or a port of loopback. With a certificate
 * over TLS.
 */
export async function listen(
  serve: (socket: net.Socket) => void,
  at: string | number = 0,
  secure?: ServedAs,
): Promise<TestServer> {
  const sockets: net.Socket[] = [];
  const serveOne = (socket: net.Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  };
  const server = secure
    ? tls.createServer({ allowHalfOpen: true, cert: secure.chain, key: secure.key }, serveOne)
    : net.createServer({ allowHalfOpen: true }, serveOne);
  const below: net.Socket[] = []; // those of TLS whose handshake was never finished are nowhere else
  if (secure) server.on("connection", (socket) => below.push(socket));
  await new Promise<void>((ready) =>
    typeof at === "string" ? server.listen(at, ready) : server.listen(at, "127.0.0.1", ready)
  );
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of [...sockets, ...below]) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Sends back what comes, and ends when the peer ends. */
export const listenEcho = (): Promise<TestServer> => listen((socket) => socket.pipe(socket));

/** A client whose reads can be awaited. */
export class Client implements AsyncDisposable {
  #chunks: Uint8Array[] = [];
  #size = 0;
  ended = false;
  error: (Error & { code?: string }) | undefined;
  #wake: (() => void) | undefined;
  readonly #closed: Promise<void>;

  constructor(readonly socket: net.Socket) {
    this.#closed = new Promise((closed) => socket.once("close", () => closed()));
    socket.on("data", (bytes: Uint8Array) => {
      this.#chunks.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)); // no Buffer
      this.#size += bytes.length;
      this.#wake?.();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#wake?.();
    });
    socket.on("error", (error) => {
      this.error = error;
      this.#wake?.();
    });
    socket.on("close", () => {
      this.ended = true;
      this.#wake?.();
    });
  }

  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((done, failed) => this.socket.write(bytes, (error) => error ? failed(error) : done()));
  }

  /** FIN. */
  end(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Exactly so many bytes. */
  async read(size: number): Promise<Uint8Array> {
    await this.#has(size);
    const all = this.#join();
    this.#chunks = [all.subarray(size)];
    this.#size = all.length - size;
    return all.subarray(0, size);
  }

  /** Up to these bytes, and with them. */
  async readTo(end: string): Promise<Uint8Array> {
    const wanted = new TextEncoder().encode(end);
    for (let looked = 0;;) {
      const all = this.#join(), at = indexOf(all, wanted, looked);
      if (at >= 0) return await this.read(at + wanted.length);
      looked = Math.max(0, all.length - wanted.length + 1);
      await this.#has(all.length + 1);
    }
  }

  /** Everything up to the end; a reset throws. */
  async readAll(): Promise<Uint8Array> {
    while (!this.ended && !this.error) await this.#more();
    if (this.error) throw this.error;
    return this.#join();
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.readAll());
  }

  /** Waits for so many bytes. */
  async #has(size: number): Promise<void> {
    while (this.#size < size) {
      if (this.error) throw this.error;
      if (this.ended) throw new Error(`ended after ${this.#size} of ${size} bytes`);
      await this.#more();
    }
  }

  #join(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0];
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [all];
    return all;
  }

  #more(): Promise<void> {
    return new Promise((wake) => this.#wake = wake);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.#closed;
  }
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0], from); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

/** `from`: the address it comes from. */
export async function connect(port: number, host = "127.0.0.1", from?: string): Promise<Client> {
  const socket = net.connect({ port, host, localAddress: from, allowHalfOpen: true, noDelay: true });
  return await connected(socket);
}

export async function connectUnix(path: string): Promise<Client> {
  return await connected(net.connect({ path, allowHalfOpen: true }));
}

async function connected(socket: net.Socket): Promise<Client> {
  await new Promise<void>((ok, failed) => {
    socket.once("connect", ok);
    socket.once("error", failed);
  });
  return new Client(socket);
}

/** SOCKS5 without authentication to `host:port`; throws the reply's code. */
export async function socks(client: Client, host: string, port: number): Promise<void> {
  const name = new TextEncoder().encode(host);
  await client.write(new Uint8Array([5, 1, 0, 5, 1, 0, 3, name.length, ...name, port >> 8, port & 255]));
  await client.read(2);
  const [, code, , kind] = await client.read(4);
  await client.read((kind === 4 ? 16 : 4) + 2);
  if (code !== 0) throw new Error(`socks reply ${code}`);
}
