/** What a client is told of a failure: one table, total in failures and in who caused them. */
import type { Failure, GateError, Side } from "../../gate/errors.ts";
import { atLimit, GateError as Failed, Misdirected } from "../../gate/errors.ts";
import type { Fault } from "./faults.ts";
import { RequestRefused } from "./own_answer.ts";

const STATUSES: Readonly<Record<Failure, Readonly<Record<Side, number>>>> = {
  malformed: { client: 400, upstream: 502, gate: 400 },
  unsupported: { client: 501, upstream: 502, gate: 501 },
  unauthenticated: { client: 403, upstream: 502, gate: 403 },
  denied: { client: 403, upstream: 502, gate: 403 },
  "no-route": { client: 404, upstream: 502, gate: 502 },
  refused: { client: 502, upstream: 502, gate: 502 },
  unreachable: { client: 502, upstream: 502, gate: 502 },
  timeout: { client: 408, upstream: 504, gate: 504 },
  reset: { client: 400, upstream: 502, gate: 502 },
  closed: { client: 400, upstream: 502, gate: 503 },
  exhausted: { client: 503, upstream: 503, gate: 503 },
  internal: { client: 500, upstream: 500, gate: 500 },
};

/** The status of a request that failed on its way; `routing`: nobody was asked yet, so a missing route is a 404. */
export function statusOfFailure(reason: GateError, routing: boolean): number {
  const { failure, side, limit } = reason;
  if (reason instanceof RequestRefused) return reason.status;
  if (reason instanceof Misdirected) return 421;
  if (routing && failure === "no-route") return 404;
  return limit === "bodySize" ? 413 : STATUSES[failure][side];
}

/** Statuses that do not say all of it. */
const TELLING: ReadonlySet<Fault["fault"]> = new Set([400, 501, 505]);

/** A head or content that cannot be read, as a failure of who sent it. */
export function failureOf({ fault, state }: Fault, side: Side, what: string): GateError {
  const failure = fault === 501 || fault === 505 ? "unsupported" : "malformed";
  const reason = new Failed(failure, side, `Cannot read ${what}: ${state}`);
  if (side !== "client") return reason;
  if (TELLING.has(fault)) reason.told = state;
  if (fault === 413) return atLimit("bodySize", reason);
  return fault === 414 || fault === 431 ? atLimit("headSize", reason) : reason;
}
