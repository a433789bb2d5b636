/** Raw HTTP/1.1 peers: an upstream that does what each test says, byte by byte, and a client that reads responses. */
import { Buffer } from "node:buffer";
import type net from "node:net";
import { type Client, listen, type ServedAs, type TestServer } from "./net.ts";

/** One connection that came to the upstream. */
export class RawPeer {
  received: Buffer = Buffer.alloc(0);
  ended = false;
  closed = false;
  #wake = Promise.withResolvers<void>();

  constructor(readonly socket: net.Socket) {
    const changed = () => {
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    };
    socket.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      changed();
    });
    socket.on("end", () => {
      this.ended = true;
      changed();
    });
    socket.on("close", () => {
      this.ended = this.closed = true;
      changed();
    });
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  /** When `is` holds of what has come. Throws where the end comes first. */
  async until(is: (peer: RawPeer) => boolean): Promise<void> {
    while (!is(this)) {
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.text.slice(0, 500))}`);
      await this.#wake.promise;
    }
  }

  /** The next request's head, taken out of what has come. */
  async head(): Promise<string> {
    await this.until(({ received }) => received.includes("\r\n\r\n"));
    return this.take(this.received.indexOf("\r\n\r\n") + 4);
  }

  /** The first octets of what has come. */
  take(size: number): string {
    const taken = this.received.subarray(0, size).toString("latin1");
    this.received = this.received.subarray(size);
    return taken;
  }

  async content(size: number): Promise<string> {
    await this.until(({ received }) => received.length >= size);
    return this.take(size);
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }
}

/** An upstream whose connections are served by `serve`, and can be awaited one after the other. */
export interface RawUpstream extends TestServer {
  readonly peers: RawPeer[];
  /** The next connection. */
  next(): Promise<RawPeer>;
}

/** With a certificate over TLS. */
export async function rawUpstream(
  serve: (peer: RawPeer) => void | Promise<void> = () => {},
  port = 0,
  secure?: ServedAs,
): Promise<RawUpstream> {
  const peers: RawPeer[] = [];
  let taken = 0, wake = Promise.withResolvers<void>();
  const server = await listen(
    (socket) => {
      const peer = new RawPeer(socket);
      peers.push(peer);
      wake.resolve();
      wake = Promise.withResolvers();
      Promise.resolve(serve(peer)).catch(() => socket.destroy());
    },
    port,
    secure,
  );
  return Object.assign(server, {
    peers,
    async next() {
      while (peers.length <= taken) await wake.promise;
      return peers[taken++];
    },
  });
}

export interface ReadResponse {
  readonly status: number;
  /** The status line and the fields as they came. */
  readonly head: string;
  readonly content: string;
}

/** The next response: `isHead` where it answers HEAD. Chunks are taken apart; without a length it is read to the end. */
export async function readResponse(client: Client, isHead = false): Promise<ReadResponse> {
  const head = await until(client, "\r\n\r\n"), status = Number(head.slice(9, 12));
  const length = /^content-length: *(\d+)/im.exec(head);
  if (isHead || status < 200 || status === 204 || status === 304) return { status, head, content: "" };
  if (/^transfer-encoding: chunked/im.test(head)) return { status, head, content: await chunks(client) };
  const content = length ? await client.read(Number(length[1])) : await client.readAll();
  return { status, head, content: Buffer.from(content).toString("latin1") };
}

async function chunks(client: Client): Promise<string> {
  let content = "";
  for (;;) {
    const size = parseInt(await until(client, "\r\n"), 16);
    if (size === 0) break;
    content += Buffer.from(await client.read(size)).toString("latin1");
    await client.read(2);
  }
  while (await until(client, "\r\n") !== "\r\n") continue;
  return content;
}

const until = async (client: Client, end: string): Promise<string> =>
  Buffer.from(await client.readTo(end)).toString("latin1");

/** Whether a request with this head has such content: what a plain server would read. */
export const lengthOf = (head: string): number => Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);

/** Answers every request with its own path and content. */
export async function echoRequests(peer: RawPeer): Promise<void> {
  for (;;) {
    const head = await peer.head(), content = await peer.content(lengthOf(head));
    const body = `${head.split(" ")[1]} ${content}`;
    peer.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head.startsWith("HEAD") ? "" : body}`,
    );
  }
}
