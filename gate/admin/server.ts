/** The admin page: HTTP on loopback (or a unix socket) that tells how the gate is. It changes nothing yet. */
import type { Target } from "../contracts.ts";
import { causeChain } from "../errors.ts";
import { hostGuard } from "./host.ts";
import { listenHttp, type Listening } from "./listen.ts";

export interface AdminOptions {
  /** Where the page listens; port 0 takes a free one. */
  readonly address: Target | "off";
  /** Where only health (and later metrics) is answered, to any Host; host "" is all addresses. */
  readonly metrics: Target | "off";
  /** What GET /status answers, as JSON. */
  status(): unknown;
  healthy(): boolean;
  ready(): boolean;
}

export interface Admin {
  /** Where it listens, as printed: `127.0.0.1:15000`, `unix:/run/ugate/admin.sock`. */
  readonly addresses: readonly string[];
  /** Takes no new requests, gives those in work two seconds, and cuts what is left. */
  close(): Promise<void>;
}

type Page = () => Response | Promise<Response>;
type Pages = Readonly<Record<string, Page>>;

/** Requests that may wait for their status at one time; the next one is told to come again. */
const MOST_REQUESTS = 16;
/** ms a status may take. */
const STATUS_TIME = 5000;

/** Listens at both addresses or at none. Throws GateError where it cannot listen. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const health: Pages = {
    "/healthz": () => verdict(options.healthy(), "ok", "unhealthy"),
    "/readyz": () => verdict(options.ready(), "ready", "not ready"),
  };
  const all: Pages = { ...health, "/status": () => status(options.status) };
  const open: Listening[] = [];
  const close = async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  };
  try {
    const { address, metrics } = options;
    if (address !== "off") open.push(await listenHttp(address, handler(all, hostGuard(address))));
    if (metrics !== "off") open.push(await listenHttp(metrics, handler(health, () => true)));
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: open.map((one) => one.address), close };
}

/** Answers one request: whom it is meant for, the method, the page, in this order. */
function handler(pages: Pages, isOwn: (host: string | null) => boolean) {
  let running = 0;
  return async (request: Request): Promise<Response> => {
    if (!isOwn(request.headers.get("host"))) {
      return say(421, "Cannot answer: this Host is neither an address of the admin page nor a loopback name");
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return say(405, `Cannot answer ${request.method}: pages are read with GET`, { allow: "GET, HEAD" });
    }
    const path = URL.parse(request.url)?.pathname ?? "";
    if (!Object.hasOwn(pages, path)) return say(404, `Cannot find this page: there are ${names(pages)}`);
    if (running >= MOST_REQUESTS) {
      return say(503, "Cannot answer: too many requests wait", { "retry-after": "1" });
    }
    running++;
    try {
      return await pages[path]();
    } finally {
      running--;
    }
  };
}

async function status(read: () => unknown): Promise<Response> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Response>((answer) => {
    timer = setTimeout(() => answer(say(503, "Cannot read the status: it takes too long")), STATUS_TIME);
  });
  try {
    const json = async () => `${JSON.stringify(await read(), undefined, 2)}\n`;
    return await Promise.race([
      json().then((body) => answer(200, body, { "content-type": "application/json" })),
      late,
    ]);
  } catch (thrown) {
    return say(500, `Cannot read the status: ${causeChain(thrown)}`);
  } finally {
    clearTimeout(timer);
  }
}

const verdict = (good: boolean, yes: string, no: string): Response => good ? say(200, yes) : say(503, no);
const names = (pages: Pages): string => Object.keys(pages).join(", ");
const say = (code: number, sentence: string, headers: Record<string, string> = {}): Response =>
  answer(code, `${sentence}\n`, { "content-type": "text/plain; charset=utf-8", ...headers });

function answer(code: number, body: string, headers: Record<string, string>): Response {
  const always = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return new Response(body, { status: code, headers: { ...always, ...headers } });
}
