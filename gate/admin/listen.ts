/** Opens an HTTP server on a TCP address or on a unix socket that only its owner can use. */
import { formatTarget, isUnixHost } from "../address.ts";
import type { Target } from "../contracts.ts";
import { GateError } from "../errors.ts";

export interface Listening {
  /** As printed, with the port that was given for port 0. */
  readonly address: string;
  close(): Promise<void>;
}

type Handler = (request: Request) => Promise<Response>;

/** ms that requests in work have at close. */
const GRACE = 2000;
/** Only the owner reads and writes: 0777 without these is 0600. */
const PRIVATE = 0o177;

/** Serves `handler` at a target; host "" is all addresses, v4 and v6. Throws GateError where it cannot listen. */
export async function listenHttp(target: Target, handler: Handler): Promise<Listening> {
  const unix = isUnixHost(target.host);
  if (target.host.startsWith("unix:@")) {
    throw new GateError(
      "unsupported",
      "gate",
      `Cannot listen on ${target.host}: an abstract socket has no mode`,
    );
  }
  try {
    return unix ? await listenUnix(target.host.slice("unix:".length), handler) : listenTcp(target, handler);
  } catch (error) {
    if (error instanceof GateError) throw error;
    const place = formatTarget(target);
    throw new GateError("internal", "gate", `Cannot listen on ${place}: the system refuses it`, error);
  }
}

function listenTcp({ host, port }: Target, handler: Handler): Listening {
  const abort = new AbortController();
  const serve = (hostname: string) =>
    Deno.serve({ hostname, port, signal: abort.signal, onListen: () => {} }, handler);
  const server = serveAt(host, serve);
  return { address: formatTarget({ host, port: server.addr.port }), close: () => close(server, abort) };
}

/** All addresses are `::`, which takes IPv4 too, or `0.0.0.0` where the machine has no IPv6. */
function serveAt<S>(host: string, serve: (hostname: string) => S): S {
  if (host !== "") return serve(host);
  try {
    return serve("::");
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return serve("0.0.0.0");
  }
}

async function listenUnix(path: string, handler: Handler): Promise<Listening> {
  await removeStale(path);
  const abort = new AbortController();
  // The mode has to be there from the first moment, so the mask of the process is changed for this one call.
  const mask = Deno.umask(PRIVATE);
  try {
    const server = Deno.serve({ path, signal: abort.signal, onListen: () => {} }, handler);
    return { address: `unix:${path}`, close: () => close(server, abort) };
  } finally {
    Deno.umask(mask);
  }
}

/** Removes the socket of a process that is gone; one that is alive, and anything else there, is an error. */
async function removeStale(path: string): Promise<void> {
  const found = await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (!found) return;
  if (!found.isSocket) throw inUse(path, "there is a file that is no socket");
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    return await Deno.remove(path);
  }
  throw inUse(path, "another process listens there");
}

const inUse = (path: string, state: string): GateError =>
  new GateError("refused", "gate", `Cannot listen on unix:${path}: ${state}`);

async function close(server: Deno.HttpServer<Deno.Addr>, abort: AbortController): Promise<void> {
  const timer = setTimeout(() => abort.abort(), GRACE);
  await Promise.race([server.shutdown(), server.finished]);
  clearTimeout(timer);
}
