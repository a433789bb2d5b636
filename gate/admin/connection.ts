/**
 * One HTTP/1.1 connection: requests one after the other, each step with its deadline. The runtime's own servers bound
 * neither how long half a request may wait nor how long nobody takes an answer (node:http's headersTimeout closes
 * nothing on Deno 2.7), so this one does.
 */
import { parseIp } from "../address.ts";
import { userOfSocket } from "../engine/socket_user.ts";
import { libc } from "../engine/sys.ts";
import { type Head, HttpRefusal, parseHead } from "./head.ts";
import { encodeReply, refusal, type Reply, say } from "./reply.ts";

/** A request. */
export interface Asked {
  readonly head: Head;
  /** Reads what comes with it, at most `most` bytes. Throws HttpRefusal. */
  body(most: number): Promise<Uint8Array>;
  /** Who asks: a user of this machine; undefined: of another one, or the kernel does not tell. */
  user(): number | undefined;
}

/** ms */
export interface Patience {
  /** For the first byte after accept, and again for the rest of a head. */
  readonly head: number;
  /** Between two requests. */
  readonly idle: number;
  readonly body: number;
  /** For a whole answer to be taken. */
  readonly answer: number;
  /** What a refused client still sends is thrown away so long: a reset could overtake the answer. */
  readonly linger: number;
}

/** What the connections of a server have in common. */
export interface Service {
  /** Rejects only by a mistake of this program. */
  answer(asked: Asked): Promise<Reply>;
  readonly patience: Patience;
  readonly unsent: Unsent;
}

/** Bounds the bytes of answers that nobody took yet: readers of big ones may be slow, and many. */
export class Unsent {
  #bytes = 0;
  constructor(readonly most: number) {}

  /** A small answer always goes, as does one alone. */
  take(bytes: number): boolean {
    if (bytes > SMALL && this.#bytes > 0 && this.#bytes + bytes > this.most) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Longest head, bytes. */
const HEAD_SIZE = 16 << 10;
/** Bytes of a refused client that are thrown away at most. */
const LINGER_SIZE = 2 << 20;
const READ_SIZE = 16 << 10;
/** Bytes of an answer that is too small to be counted against anybody. */
const SMALL = 4 << 10;

const EMPTY = new Uint8Array();
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

export class HttpConnection {
  readonly #conn: Deno.Conn;
  readonly #service: Service;
  /** Came and was not used yet. */
  #held: Uint8Array = EMPTY;
  /** Of the present request's body: what was not read. */
  #unread = 0;
  /** A head came, and its answer did not go yet. */
  #asked = false;
  #closing = false;
  #cut = false;
  /** Since when it waits for its client, by performance.now(); Infinity: its client waits for it. */
  waits = performance.now();

  constructor(conn: Deno.Conn, service: Service) {
    this.#conn = conn;
    this.#service = service;
  }

  /** Serves until the client or a deadline ends it. Never rejects. */
  async serve(): Promise<void> {
    const { head, idle } = this.#service.patience;
    try {
      let patience = head;
      do {
        if (this.#held.length === 0 && !await this.#within(patience, () => this.#more())) return;
        patience = idle;
      } while (await this.#serveOne());
      if (this.#unread > 0) await this.#linger();
    } catch {
      // The client is gone, or was cut: nobody is left to be told.
    } finally {
      this.cut();
    }
  }

  /** Takes no further request: one in work is answered, a connection without one ends. */
  close(): void {
    this.#closing = true;
    if (!this.#asked) this.cut();
  }

  /** Ends it at once. */
  cut(): void {
    if (this.#cut) return;
    this.#cut = true;
    wakeWriter(this.#conn);
    this.#conn.close();
  }

  /** One request and its answer; whether another one may come. */
  async #serveOne(): Promise<boolean> {
    const head = await this.#within(this.#service.patience.head, () => this.#head());
    if (!head) return false;
    this.#asked = true;
    const known = !(head instanceof HttpRefusal);
    this.#unread = known ? head.length : 1; // behind a head that could not be read may come anything
    const reply = known
      ? await this.#service.answer({
        head,
        body: (most) => this.#body(head, most),
        user: () => userOf(this.#conn),
      })
      : refusal(head);
    const stays = known && head.persistent && this.#unread === 0 && !this.#closing;
    const form = { headOnly: known && head.method === "HEAD", stays };
    const { unsent } = this.#service;
    let bytes = encodeReply(reply, form);
    if (!unsent.take(bytes.length)) {
      bytes = encodeReply(say(503, "Cannot answer: too many answers wait to be taken"), form);
      unsent.take(bytes.length);
    }
    try {
      await this.#within(this.#service.patience.answer, () => writeAll(this.#conn, bytes));
    } finally {
      unsent.give(bytes.length);
    }
    this.#asked = false;
    return stays;
  }

  /** undefined: the client ended before it asked anything. */
  async #head(): Promise<Head | HttpRefusal | undefined> {
    for (let from = 0;;) {
      while (this.#held[0] === 13 && this.#held[1] === 10) this.#held = this.#held.subarray(2); // RFC 9112 2.2
      const end = endOfHead(this.#held, from);
      if ((end < 0 ? this.#held.length : end) > HEAD_SIZE) {
        return new HttpRefusal(431, `Cannot read the request: its head is longer than ${HEAD_SIZE} bytes`);
      }
      if (end >= 0) {
        const head = this.#held.subarray(0, end);
        this.#held = this.#held.slice(end + 4);
        return readHead(head);
      }
      from = Math.max(0, this.#held.length - 3);
      if (!await this.#more()) return undefined;
    }
  }

  async #body({ length, headers }: Head, most: number): Promise<Uint8Array> {
    if (length > most) {
      throw new HttpRefusal(413, `Cannot take ${length} bytes: at most ${most} may come with this request`);
    }
    await this.#within(this.#service.patience.body, async () => {
      const awaits = headers.get("expect")?.toLowerCase() === "100-continue";
      if (awaits && this.#held.length < length) await writeAll(this.#conn, CONTINUE);
      while (this.#held.length < length) {
        if (!await this.#more()) throw new HttpRefusal(400, "Cannot read the body: it ended early");
      }
    });
    const body = this.#held.subarray(0, length);
    this.#held = this.#held.slice(length);
    this.#unread = 0;
    return body;
  }

  /** The client reads its answer before its connection goes. */
  async #linger(): Promise<void> {
    await this.#conn.closeWrite();
    const buffer = new Uint8Array(READ_SIZE);
    await this.#within(this.#service.patience.linger, async () => {
      for (let size = 0; size < LINGER_SIZE;) {
        const came = await this.#conn.read(buffer);
        if (came === null) return;
        size += came;
      }
    });
  }

  /** Waits for bytes behind those that are held; false: no more come. */
  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(READ_SIZE);
    const came = await this.#conn.read(buffer);
    if (came === null) return false;
    const joined = new Uint8Array(this.#held.length + came);
    joined.set(this.#held);
    joined.set(buffer.subarray(0, came), this.#held.length);
    this.#held = joined;
    return true;
  }

  /** What takes longer than so many ms is cut, and rejects. */
  async #within<T>(ms: number, step: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.cut(), ms);
    this.waits = performance.now();
    try {
      return await step();
    } finally {
      clearTimeout(timer);
      this.waits = Infinity;
    }
  }
}

function readHead(bytes: Uint8Array): Head | HttpRefusal {
  try {
    return parseHead(bytes);
  } catch (thrown) {
    if (thrown instanceof HttpRefusal) return thrown;
    throw thrown;
  }
}

/** Nobody but the gate's own user can use its unix socket, and root. */
function userOf({ remoteAddr, localAddr }: Deno.Conn): number | undefined {
  if (remoteAddr.transport !== "tcp" || localAddr.transport !== "tcp") return Deno.uid() ?? undefined;
  const [client, own] = [remoteAddr, localAddr].map(({ hostname, port }) => ({
    ip: parseIp(hostname),
    port,
  }));
  if (!client.ip || !own.ip) return undefined;
  return userOfSocket({ ...client, ip: client.ip }, { ...own, ip: own.ip });
}

const SHUT_RDWR = 2;

/** On Deno 2.7 closing does not end a write that waits, and its descriptor stays open; a shutdown does end it. */
function wakeWriter(conn: Deno.Conn): void {
  const key = Object.getOwnPropertySymbols(conn).find(({ description }) =>
    description === "Deno.internal.fd"
  );
  const fd: unknown = key && Reflect.get(conn, key);
  if (typeof fd === "number") libc.shutdown(fd, SHUT_RDWR);
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Where the CR LF CR LF behind a head begins; -1: it did not come yet. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(13, from); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return -1;
}
