/** A DNS server on loopback that says exactly what a test wants, the truth or not, over UDP and TCP on one port. */
import { Buffer } from "node:buffer";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import packet from "dns-packet";
import type { Target } from "../../gate/address.ts";

export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly id: number;
  readonly transport: "udp" | "tcp";
  readonly edns: boolean;
}

/** As dns-packet has them; `ttl` in seconds. */
export interface ZoneRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly class?: string;
  readonly data?: unknown;
}

/** One message back: the true question and id unless told otherwise; `bytes` is sent as it is. */
export interface Reply {
  readonly answers?: readonly ZoneRecord[];
  readonly authorities?: readonly ZoneRecord[];
  readonly additionals?: readonly ZoneRecord[];
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly id?: number;
  readonly question?: { readonly name: string; readonly type: string };
  readonly bytes?: Uint8Array;
  /** From another port than the one that was asked. */
  readonly elsewhere?: boolean;
  readonly after?: Promise<unknown>;
}

/** Sent in order; none: silence. */
export type Script = (asked: Asked) => readonly Reply[] | Reply | undefined;

export const NXDOMAIN = 3;
const PORT_TRIES = 20;

interface Codec {
  encode(message: object): Buffer;
  decode(
    bytes: Uint8Array,
  ): { id: number; questions: { name: string; type: string }[]; additionals: unknown[] };
}
const codec: Codec = packet;

/** The bytes of a reply. */
export function replyBytes(asked: Asked, reply: Reply): Buffer {
  if (reply.bytes !== undefined) return Buffer.from(reply.bytes);
  const flags = 0x8180 | (reply.truncated ? 0x200 : 0) | (reply.rcode ?? 0);
  const withTtl = (records: readonly ZoneRecord[] = []) => records.map((record) => ({ ttl: 60, ...record }));
  return codec.encode({
    type: "response",
    id: reply.id ?? asked.id,
    flags,
    questions: [reply.question ?? { name: asked.name, type: asked.type }],
    answers: withTtl(reply.answers),
    authorities: withTtl(reply.authorities),
    additionals: withTtl(reply.additionals),
  });
}

/** What an honest server says that knows these records; `soa`: MINIMUM and TTL of its "no", seconds. */
export function zone(records: readonly ZoneRecord[], soa?: { ttl: number; minimum: number }): Script {
  const authorities = soa === undefined ? [] : [{
    name: "test",
    type: "SOA",
    ttl: soa.ttl,
    data: { mname: "ns.test", rname: "who.test", minimum: soa.minimum },
  }];
  return (asked) => {
    const name = asked.name.toLowerCase();
    const own = records.filter((record) => record.name === name);
    const answers = own.filter(({ type }) => type === asked.type || type === "CNAME");
    if (answers.length > 0) return { answers };
    return own.length > 0 ? { authorities } : { authorities, rcode: NXDOMAIN };
  };
}

export class DnsServer implements AsyncDisposable {
  /** Everything it was asked, in order. */
  readonly asked: Asked[] = [];
  readonly #connections = new Set<Socket>();

  private constructor(
    readonly target: Target,
    private readonly datagrams: Datagrams,
    private readonly connections: Server,
    public script: Script,
  ) {
    datagrams.on("message", (bytes, from) => {
      this.#answer(
        bytes,
        "udp",
        (message, elsewhere) =>
          elsewhere ? sentFromElsewhere(message, from) : sent(this.datagrams, message, from),
      );
    });
    connections.on("connection", (socket) => this.#serve(socket));
  }

  static async start(script: Script, host = "127.0.0.1"): Promise<DnsServer> {
    for (let left = PORT_TRIES;; left--) {
      const connections = createServer().listen(0, host);
      await once(connections, "listening");
      const address = connections.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const datagrams = createSocket(host.includes(":") ? "udp6" : "udp4");
      try {
        datagrams.bind(port, host);
        await once(datagrams, "listening");
        return new DnsServer({ host, port }, datagrams, connections, script);
      } catch (thrown) {
        connections.close();
        if (left === 0) throw thrown;
      }
    }
  }

  /** How often this was asked. */
  count(name: string, type?: string): number {
    return this.asked.filter((asked) => asked.name === name && (type ?? asked.type) === asked.type).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    this.connections.close();
    this.datagrams.close();
    await Promise.all([once(this.connections, "close"), once(this.datagrams, "close")]);
  }

  async #answer(
    bytes: Uint8Array,
    transport: "udp" | "tcp",
    send: (message: Buffer, elsewhere: boolean) => Promise<void>,
  ): Promise<void> {
    const { id, questions, additionals } = codec.decode(bytes);
    const asked: Asked = { ...questions[0], id, transport, edns: additionals.length > 0 };
    this.asked.push(asked);
    const replies = this.script(asked) ?? [];
    for (const reply of Array.isArray(replies) ? replies : [replies]) {
      await reply.after;
      await send(replyBytes(asked, reply), reply.elsewhere === true);
    }
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    let held = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("data", (bytes) => {
      held = Buffer.concat([held, Buffer.from(bytes)]);
      if (held.length < 2 || held.length < held.readUInt16BE(0) + 2) return;
      this.#answer(held.subarray(2), "tcp", (message) => {
        socket.write(Buffer.concat([Uint8Array.of(message.length >> 8, message.length), message]));
        return Promise.resolve();
      });
    });
  }
}

interface Whence {
  readonly address: string;
  readonly port: number;
}

function sent(socket: Datagrams, bytes: Uint8Array, to: Whence): Promise<void> {
  return new Promise((resolve) => socket.send(bytes, to.port, to.address, () => resolve()));
}

async function sentFromElsewhere(bytes: Uint8Array, to: Whence): Promise<void> {
  const socket = createSocket(to.address.includes(":") ? "udp6" : "udp4");
  await sent(socket, bytes, to);
  socket.close();
  await once(socket, "close");
}
