/** The admin page and the metrics: HTTP on loopback (or a unix socket) that tells how the gate is, and changes it. */
import type { Target } from "../address.ts";
import { placed } from "../errors.ts";
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
  /** Whom this one follows: where both listen at the same place it goes on there. `operations` are the same. */
  readonly previous?: Admin;
  /** How long clients are waited for; what tests need shorter. */
  readonly patience?: Patience;
}

const PATIENCE: Patience = { head: 5000, idle: 10_000, body: 10_000, answer: 30_000, linger: 1000 };
/** Connections at one time. */
const MOST_ADMIN = 64, MOST_METRICS = 256;
/** Requests in work at one time, health apart: the next one is told to come again. */
const MOST_REQUESTS = 16;
/** Bytes of answers that nobody took yet. */
const MOST_UNSENT = 32 << 20;

/** Where one of the two listens, and how many Admins hold it: who follows another one takes over what is the same. */
interface Place {
  readonly of: "admin" | "metrics";
  readonly target: Target;
  readonly listening: Listening;
  holders: number;
}

export class Admin {
  readonly #places: Place[] = [];

  /** Listens at both addresses or at none. Throws GateError where it cannot listen. */
  static async start(options: AdminOptions): Promise<Admin> {
    const admin = new Admin();
    try {
      admin.#open("admin", options.address, options);
      admin.#open("metrics", options.metrics, options);
      return admin;
    } catch (thrown) {
      await admin.close();
      throw thrown;
    }
  }

  /** Where it listens, as printed: `127.0.0.1:15000`, `unix:/run/ugate/admin.sock`. */
  get addresses(): readonly string[] {
    return this.#places.map(({ listening }) => listening.address);
  }

  /** Where nobody follows it takes no new requests, gives those in work two seconds, and cuts what is left. */
  async close(): Promise<void> {
    const given = this.#places.splice(0).filter((place) => --place.holders === 0);
    await Promise.all(given.map(({ listening }) => listening.close()));
  }

  #open(of: Place["of"], target: Target | "off", options: AdminOptions): void {
    if (target === "off") return;
    const { operations, patience = PATIENCE, previous } = options;
    let place = previous && previous.#places.find((one) => one.of === of && same(one.target, target));
    if (!place) {
      const answer = of === "admin"
        ? answering(adminRoutes(operations), hostGuard(target))
        : answering(metricsRoutes(operations), () => true);
      const service = { answer, patience, unsent: new Unsent(MOST_UNSENT) };
      const most = of === "admin" ? MOST_ADMIN : MOST_METRICS;
      place = { of, target, listening: listenFor(of, () => listenHttp(target, most, service)), holders: 0 };
    }
    place.holders++;
    this.#places.push(place);
  }
}

/** What cannot listen is named by its key. */
function listenFor(of: Place["of"], listen: () => Listening): Listening {
  try {
    return listen();
  } catch (thrown) {
    throw placed(of === "admin" ? "admin.address" : "admin.metrics", thrown);
  }
}

export const startAdmin = (options: AdminOptions): Promise<Admin> => Admin.start(options);

const same = (a: Target, b: Target): boolean => a.host === b.host && a.port === b.port;

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
    try {
      const body = await asked.body(route.most ?? 0); // before it is work: nobody's place waits for a client
      return await work.run(async () => await handler({ head, body, user: asked.user }), route);
    } catch (thrown) {
      if (thrown instanceof HttpRefusal) return refusal(thrown);
      throw thrown;
    }
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
