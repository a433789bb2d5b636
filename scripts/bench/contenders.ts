/** Who is compared: nothing between (direct), or a running server. */
import { freePorts } from "../free_ports.ts";
import { Child } from "./process.ts";
import type { Doors, Server } from "./servers.ts";
import { prologue, type Upstream } from "./upstream.ts";
import { ANSWER } from "./wire.ts";

export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly doors: Doors;
  /** undefined: there is no process between. */
  readonly child?: Child;
  /** ms from its start to an answer through its forward, and to its word that it is ready. */
  readonly startup?: { readonly answer: number; readonly ready?: number };
}

/** A connection without anyone between. */
export function direct({ port }: Upstream): Contender {
  return {
    name: "direct",
    doors: { forward: port, sni: port },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** ms that a server has until it answers. */
const PATIENCE = 20_000;
/** ms between two looks whether it listens. */
const PAUSE = 2;

/** Starts a server of its own; it answers when this resolves. */
export async function start(server: Server, upstream: Upstream): Promise<Contender> {
  const [forward, sni, socks] = freePorts(3), all = { forward, sni, socks };
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  const file = `${folder}/configuration`;
  await Deno.writeTextFile(file, server.configure(all, upstream, folder));
  const [program, ...args] = server.command();
  const since = performance.now();
  const child = new Child(server.name, program, [...args, file]);
  const end = async () => {
    await child[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  const elapsed = () => performance.now() - since;
  try {
    const [answer, ready] = await Promise.all([
      firstAnswer(child, forward, upstream).then(elapsed),
      server.ready === undefined ? undefined : child.says(server.ready, PATIENCE).then(elapsed),
    ]);
    const doors = Object.fromEntries(server.doors.map((door) => [door, all[door]]));
    return { name: server.name, doors, child, startup: { answer, ready }, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Waits until the upstream answers through a port: one that listens may not serve yet. */
async function firstAnswer(child: Child, port: number, { hello }: Upstream): Promise<void> {
  const until = performance.now() + PATIENCE;
  while (!await answers(port, prologue(hello, "answer"), until)) {
    if (child.ended || performance.now() > until) {
      throw new Error(`Cannot use ${child.name}: nothing answers through port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function answers(port: number, request: Uint8Array, until: number): Promise<boolean> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
  using _ = connection;
  const late = setTimeout(() => connection.close(), until - performance.now());
  try {
    await connection.write(request);
    return await connection.read(new Uint8Array(ANSWER)) !== null;
  } catch {
    return false; // a reset, or nobody took it in time
  } finally {
    clearTimeout(late);
  }
}
