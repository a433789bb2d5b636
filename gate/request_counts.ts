/** Requests as an engine counts them, by what metrics call their route; main hears of them in batches. */
import type { RequestRecord } from "./requests.ts";
import { type Durations, Histogram } from "./durations.ts";

/** In place of a route: no route took the request; a client of the proxy named its target. No route is called so. */
export const UNROUTED = "none", PROXIED = "proxy";

/** By the first digit of the status; `none`: nobody was there to take an answer. */
export const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;
export type StatusClass = typeof STATUS_CLASSES[number];

/** Requests of one route that are over since the last time they were told, and how many are not. */
export interface CountedRequests {
  readonly route: string;
  /** In the order of STATUS_CLASSES. */
  readonly statuses: readonly number[];
  /** How often one was sent again. */
  readonly retries: number;
  /** To the end of the response, and to its head, where there was one. */
  readonly whole: Durations;
  readonly waited: Durations;
  /** Bytes of content. */
  readonly up: number;
  readonly down: number;
  /** Those that are not over now. */
  readonly inFlight: number;
}

/** Those of one route. */
export class RouteRequests {
  #statuses = zeros();
  #retries = 0;
  #whole = new Histogram();
  #waited = new Histogram();
  #up = 0;
  #down = 0;
  #inFlight = 0;
  /** As main knows it. */
  #told = 0;

  begun(): void {
    this.#inFlight++;
  }

  /** One that had begun, however it went. */
  left(): void {
    this.#inFlight--;
  }

  /** One is over, after so many ms. */
  over({ status, waited, retried, up, down }: RequestRecord, ms: number): void {
    this.#statuses[Math.trunc(status / 100)]++;
    this.#retries += retried;
    this.#whole.observe(ms);
    if (waited !== undefined) this.#waited.observe(waited);
    this.#up += up;
    this.#down += down;
  }

  get hasNews(): boolean {
    return this.#whole.total > 0 || this.#inFlight !== this.#told;
  }

  /** Nobody is under way there. */
  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  /** What came since the last call. */
  take(route: string): CountedRequests {
    const taken = {
      route,
      statuses: this.#statuses,
      retries: this.#retries,
      whole: this.#whole.take(),
      waited: this.#waited.take(),
      up: this.#up,
      down: this.#down,
      inFlight: this.#inFlight,
    };
    this.#told = this.#inFlight;
    this.#statuses = zeros();
    this.#retries = this.#up = this.#down = 0;
    return taken;
  }
}

const zeros = (): number[] => Array<number>(STATUS_CLASSES.length).fill(0);

export class RequestCounts {
  readonly #routes = new Map<string, RouteRequests>();

  of(route: string): RouteRequests {
    let requests = this.#routes.get(route);
    if (!requests) this.#routes.set(route, requests = new RouteRequests());
    return requests;
  }

  /** What came since the last call; a route where nothing happens is forgotten, for reloads bring others. */
  take(): CountedRequests[] {
    const taken: CountedRequests[] = [];
    for (const [route, requests] of this.#routes) {
      if (requests.hasNews) taken.push(requests.take(route));
      else if (requests.isIdle) this.#routes.delete(route);
    }
    return taken;
  }
}
