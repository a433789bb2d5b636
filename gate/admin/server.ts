/** The admin page and the metrics: HTTP on loopback (or a unix socket) that tells how the gate is, and changes it. */
import type { Target } from "../contracts.ts";
import type { Operations } from "../operations.ts";
import { type Asked, type Patience, Unsent } from "./connection.ts";
import { HttpRefusal } from "./head.ts";
import { hostGuard, isEmbedded, isOwnOrigin } from "./host.ts";
import { listenHttp, type Listening } from "./listen.ts";
import { refusal, type Reply, say } from "./reply.ts";
import { adminRoutes, failed, metricsRoutes, type Route, type Routes } from "./routes.ts";

export interface AdminOptions {
  /** Where the page listens; port 0 takes a free one. */
  readonly address: Target | "off";
  /** Where only metrics and health are answered, to any Host; host "" is all addresses. */
  readonly metrics: Target | "off";
  readonly operations: Operations;
  /** How long clients are waited for; what tests need shorter. */
  readonly patience?: Patience;
}

export interface Admin {
  /** Where it listens, as printed: `127.0.0.1:15000`, `unix:/run/ugate/admin.sock`. */
  readonly addresses: readonly string[];
  /** Takes no new requests, gives those in work two seconds, and cuts what is left. */
  close(): Promise<void>;
}

const PATIENCE: Patience = { head: 5000, idle: 10_000, body: 10_000, answer: 30_000, linger: 1000 };
/** Connections at one time. */
const MOST_ADMIN = 64, MOST_METRICS = 256;
/** Requests in work at one time, health apart: the next one is told to come again. */
const MOST_REQUESTS = 16;
/** Bytes of answers that nobody took yet. */
const MOST_UNSENT = 32 << 20;

/** Listens at both addresses or at none. Throws GateError where it cannot listen. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { address, metrics, operations, patience = PATIENCE } = options;
  const open: Listening[] = [];
  const close = async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  };
  const listen = async (at: Target, most: number, answer: Answer) => {
    open.push(await listenHttp(at, most, { answer, patience, unsent: new Unsent(MOST_UNSENT) }));
  };
  try {
    if (address !== "off") {
      await listen(address, MOST_ADMIN, answering(adminRoutes(operations), hostGuard(address)));
    }
    if (metrics !== "off") {
      await listen(metrics, MOST_METRICS, answering(metricsRoutes(operations), () => true));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: open.map((one) => one.address), close };
}

type Answer = (asked: Asked) => Promise<Reply>;

/** Answers one request: whom it is meant for, what it asks for, on whose behalf, in this order. */
function answering(routes: Routes, isOwn: (host: string | undefined) => boolean): Answer {
  const work = new Work();
  return async (asked) => {
    const { head } = asked;
    if (!isOwn(head.host)) {
      return say(421, "Cannot answer: this Host is neither an address of the admin page nor a loopback name");
    }
    const route = Object.hasOwn(routes, head.path) ? routes[head.path] : undefined;
    if (!route) return say(404, `Cannot find this page: there are ${pages(routes)}`);
    const handler = head.method === "HEAD" ? route.GET : methodOf(route, head.method);
    if (!handler) {
      return say(405, `Cannot answer ${head.method}: it is no way to ask here`, { allow: allowed(route) });
    }
    if (head.method === "POST" ? !isOwnOrigin(head) : isEmbedded(head)) {
      return say(403, "Cannot answer: the request comes from another origin");
    }
    if (head.method !== "POST" && head.length > 0) {
      return say(413, `Cannot take ${head.length} bytes: nothing may come with this request`);
    }
    return await work.run(async () => await handler(asked), route);
  };
}

/** What is in work at one time is bounded, and so is how long each is waited for. */
class Work {
  #running = 0;

  async run(act: () => Promise<Reply>, { instant, time }: Route): Promise<Reply> {
    if (!instant && this.#running >= MOST_REQUESTS) {
      return say(503, "Cannot answer: too many requests wait", { "retry-after": "1" });
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Reply>((answer) => {
      timer = setTimeout(() => answer(say(503, `Cannot answer: it takes more than ${time} ms`)), time);
    });
    const count = instant ? 0 : 1;
    this.#running += count;
    // What is late is in work still: it keeps its place.
    const acting = act().catch((thrown) => thrown instanceof HttpRefusal ? refusal(thrown) : failed(thrown))
      .finally(() => this.#running -= count);
    try {
      return await Promise.race([acting, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Those that people ask for; the others are files of the page. */
const pages = (routes: Routes): string =>
  Object.keys(routes).filter((path) => !path.includes(".")).join(", ");
const methodOf = (route: Route, method: string) =>
  method === "GET" ? route.GET : method === "POST" ? route.POST : undefined;
const allowed = ({ GET, POST }: Route): string =>
  [...GET ? ["GET, HEAD"] : [], ...POST ? ["POST"] : []].join(", ");
