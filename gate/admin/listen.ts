/** Opens an HTTP server on a TCP address or on a unix socket that only its owner can use. */
import { formatTarget, isUnixHost, type Target } from "../address.ts";
import { removeDead, SocketFile, takeTurn } from "../engine/socket_file.ts";
import { GateError } from "../errors.ts";
import { inTime } from "../in_time.ts";
import { HttpConnection, type Service } from "./connection.ts";

export interface Listening {
  /** As printed, with the port that was given for port 0. */
  readonly address: string;
  /** Takes no new connections, gives requests in work two seconds, and cuts what is left. */
  close(): Promise<void>;
}

/** ms that requests in work have at close. */
const GRACE = 2000;
/** ms that those who are cut then have to end. */
const CUT_TIME = 200;
/** ms without accepting, where the system gives no descriptor. */
const REST = 50;
/** Only the owner reads and writes: 0777 without these is 0600. */
const PRIVATE = 0o177;

/** As listeners have it: engine/bind.ts. */
const REASONS = [
  [Deno.errors.AddrInUse, "another program has it"],
  [Deno.errors.PermissionDenied, "not permitted (ports below 1024 need CAP_NET_BIND_SERVICE)"],
  [Deno.errors.AddrNotAvailable, "this machine has no such address"],
] as const;

/**
 * Serves at a target; host "" is all addresses, v4 and v6. At most `most` connections: who keeps the server waiting
 * longest makes room for the next one. Throws GateError where it cannot listen.
 */
export function listenHttp(target: Target, most: number, service: Service): Listening {
  if (target.host.startsWith("unix:@")) {
    throw new GateError(
      "unsupported",
      "gate",
      `Cannot listen on ${target.host}: an abstract socket has no mode`,
    );
  }
  try {
    return isUnixHost(target.host)
      ? listenUnix(target.host.slice("unix:".length), most, service)
      : listenTcp(target, most, service);
  } catch (error) {
    if (error instanceof GateError) throw error;
    const act = `Cannot listen on ${formatTarget(target)}`;
    const known = REASONS.find(([kind]) => error instanceof kind)?.[1];
    if (known !== undefined) throw new GateError("refused", "gate", `${act}: ${known}`);
    throw new GateError("internal", "gate", `${act}: the system refuses it`, error);
  }
}

function listenTcp({ host, port }: Target, most: number, service: Service): Listening {
  const listener = listenAt(host, port);
  const server = new HttpServer(listener, most, service);
  return { address: formatTarget({ host, port: listener.addr.port }), close: () => server.close() };
}

/** All addresses are `::`, which takes IPv4 too, or `0.0.0.0` where the machine has no IPv6. */
function listenAt(host: string, port: number): Deno.TcpListener {
  if (host !== "") return Deno.listen({ hostname: host, port });
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}

/**
 * Looking who is there and taking the place are one turn, as for every other socket with a path, and so is the close.
 * It is bound beside its place: closing, the runtime removes the path that it bound, whoever has that by then.
 */
function listenUnix(path: string, most: number, service: Service): Listening {
  using _turn = takeTurn(path);
  removeDead(path);
  const there = kindAt(path);
  if (there !== undefined) throw inUse(path, there);
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  const listener = bindPrivate(beside);
  const file = SocketFile.at(beside)?.renamed(path);
  const server = new HttpServer(listener, most, service, () => {
    using _turn = takeTurn(path);
    file?.remove();
    listener.close();
  });
  return { address: `unix:${path}`, close: () => server.close() };
}

/** What stands in the way; undefined: nothing. */
function kindAt(path: string): string | undefined {
  if (SocketFile.at(path)) return "another process listens there";
  try {
    Deno.lstatSync(path);
    return "there is a file that is no socket";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function bindPrivate(path: string): Deno.UnixListener {
  // The mode has to be there from the first moment, so the mask of the process is changed for this one call.
  const mask = Deno.umask(PRIVATE);
  try {
    return Deno.listen({ transport: "unix", path });
  } finally {
    Deno.umask(mask);
  }
}

const inUse = (path: string, state: string): GateError =>
  new GateError("refused", "gate", `Cannot listen on unix:${path}: ${state}`);

/** Accepts, and owns what it accepted. */
class HttpServer {
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  readonly #accepting: Promise<void>;
  #closed = false;

  constructor(
    readonly listener: Deno.Listener<Deno.Conn>,
    readonly most: number,
    readonly service: Service,
    readonly stopListening = () => listener.close(),
  ) {
    this.#accepting = this.#accept();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#take(await this.listener.accept());
      } catch {
        // The client is gone already, there is no descriptor, or this is the close.
        if (!this.#closed) await new Promise((rested) => setTimeout(rested, REST));
      }
    }
  }

  #take(conn: Deno.Conn): void {
    if (this.#connections.size >= this.most && !this.#makeRoom()) return conn.close();
    const connection = new HttpConnection(conn, this.service);
    this.#connections.set(connection, connection.serve().finally(() => this.#connections.delete(connection)));
  }

  /** Cuts who keeps this server waiting longest; false: it is the server that all wait for. */
  #makeRoom(): boolean {
    let oldest: HttpConnection | undefined;
    for (const connection of this.#connections.keys()) {
      if (connection.waits < (oldest?.waits ?? Infinity)) oldest = connection;
    }
    if (!oldest) return false;
    this.#connections.delete(oldest); // its descriptor is given back: its promise ends in this turn
    oldest.cut();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.stopListening();
    await this.#accepting;
    const running = [...this.#connections];
    for (const [connection] of running) connection.close();
    const served = Promise.all(running.map(([, served]) => served));
    if (await inTime(served, GRACE)) return;
    for (const [connection] of running) connection.cut();
    await inTime(served, CUT_TIME); // an answer that is still made is nobody's any more
  }
}
