/** What can be asked of the admin page, and what is answered. */
import { asGateError, causeChain, type Failure } from "../errors.ts";
import { type Confirmation, LONGEST_TRIAL, type Operations, type ReloadOutcome } from "../operations.ts";
import type { Asked } from "./connection.ts";
import { HttpRefusal } from "./head.ts";
import { PAGE, readPageFile } from "./page.ts";
import { json, type Reply, reply, say } from "./reply.ts";

/** A request as a whole. */
export interface Received extends Pick<Asked, "head" | "user"> {
  readonly body: Uint8Array;
}

export type Handler = (received: Received) => Reply | Promise<Reply>;

/** GET answers HEAD too. */
export interface Route {
  readonly GET?: Handler;
  readonly POST?: Handler;
  /** Answered at once, however much is in work. */
  readonly instant?: boolean;
  /** ms an answer may take. */
  readonly time: number;
  /** Bytes that may come with a request; absent: none. */
  readonly most?: number;
}

/** By path. */
export type Routes = Readonly<Record<string, Route>>;

const READ_TIME = 5000, CHANGE_TIME = 60_000;
const DEFAULT_CONNECTIONS = 1000, MOST_CONNECTIONS = 20_000;
const LONGEST_CONFIGURATION = 1 << 20;
const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

/** What is answered to any Host: nothing of it tells who connects, or changes anything. */
export function metricsRoutes(operations: Operations): Routes {
  return {
    "/healthz": instant(() => verdict(operations.healthy(), "ok", "unhealthy")),
    "/readyz": instant(() => verdict(operations.ready(), "ready", "not ready")),
    "/metrics": reads(async () => reply(200, PROMETHEUS, await operations.metrics())),
  };
}

export function adminRoutes(operations: Operations): Routes {
  const files = Object.keys(PAGE).map((path) =>
    [path, reads(async () => reply(200, PAGE[path].type, await readPageFile(path)))] as const
  );
  return {
    ...Object.fromEntries(files),
    ...metricsRoutes(operations),
    "/status": reads(async () => json(200, await operations.status(), 2)),
    "/connections": reads(async ({ head }) =>
      json(200, await operations.connections(mostAsked(parameters(head.query, "most").most)))
    ),
    "/nodes": reads(async ({ head }) => {
      const most = mostAsked(parameters(head.query, "most").most), nodes = await operations.nodes();
      return json(200, { total: nodes.length, nodes: nodes.slice(0, most) });
    }),
    "/config": reads(async () => json(200, await operations.configuration(), 2)),
    "/trial": reads(({ user }) => {
      refuseStrangers(user);
      return operations.trial
        ? json(200, operations.trial)
        : say(404, "Cannot tell of a trial: there is none");
    }),
    "/reload": {
      POST: async (received) => reloaded(await reload(operations, received)),
      time: CHANGE_TIME,
      most: LONGEST_CONFIGURATION,
    },
    "/confirm": {
      POST: async ({ head, user }) => {
        refuseStrangers(user);
        const { id } = parameters(head.query, "id");
        if (!id) throw new HttpRefusal(400, "Cannot confirm: say which trial, as /confirm?id=ID");
        const confirmation = await operations.confirm(id);
        return confirmation === "confirmed" ? json(200, { confirmed: id }) : NOT_CONFIRMED[confirmation];
      },
      time: CHANGE_TIME,
    },
  };
}

const NOT_CONFIRMED: Readonly<Record<Exclude<Confirmation, "confirmed">, Reply>> = {
  over: say(409, "Cannot confirm: there is no trial of this id, or its time is over"),
  changed: say(412, "Cannot confirm: the file on disk was changed, and the gate has not read it since"),
};

async function reload(operations: Operations, { head, body, user }: Received): Promise<ReloadOutcome> {
  const { confirm } = parameters(head.query, "confirm");
  if (confirm === undefined) {
    if (body.length === 0) return await operations.reload();
    throw new HttpRefusal(
      400,
      "Cannot reload: a configuration comes with ?confirm=MS, and without it nothing does",
    );
  }
  const ms = /^[0-9]{1,9}$/.test(confirm) ? Number(confirm) : 0;
  if (ms < 1 || ms > LONGEST_TRIAL) {
    throw new HttpRefusal(400, `Cannot reload: confirm is no number of ms from 1 to ${LONGEST_TRIAL}`);
  }
  refuseStrangers(user);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new HttpRefusal(400, "Cannot reload: the configuration is no UTF-8 text");
  }
  return await operations.try(text, ms);
}

/**
 * What is on trial may hold passwords, and moves what the gate may do to who wrote it: over TCP any user of the machine
 * could ask. Throws HttpRefusal.
 */
function refuseStrangers(user: Received["user"]): void {
  const asks = user();
  if (asks === 0 || (asks !== undefined && asks === Deno.uid())) return;
  const who = asks === undefined ? "whose process asks cannot be told" : `user ${asks} asks`;
  throw new HttpRefusal(403, `Cannot answer: trials are for root and the gate's own user, and ${who}`);
}

const reloaded = (outcome: ReloadOutcome): Reply =>
  json(outcome.result === "refused" ? 422 : 200, outcome, 2);

function mostAsked(text: string | undefined): number {
  if (text === undefined) return DEFAULT_CONNECTIONS;
  if (!/^[0-9]{1,9}$/.test(text)) throw new HttpRefusal(400, "Cannot tell so many: most is no number");
  return Math.min(MOST_CONNECTIONS, Number(text));
}

/** The one parameter that a page knows; another one is a mistake that could mean something else. */
function parameters<N extends string>(query: URLSearchParams, name: N): Partial<Record<N, string>> {
  for (const given of query.keys()) {
    if (given !== name || query.getAll(name).length > 1) {
      throw new HttpRefusal(400, `Cannot answer: the parameters are not just one ${name}`);
    }
  }
  const value = query.get(name);
  return value === null ? {} : { [name]: value } as Partial<Record<N, string>>;
}

/** What became of a request that failed. */
const STATUS: Readonly<Record<Failure, number>> = {
  malformed: 400,
  unsupported: 501,
  unauthenticated: 403,
  denied: 403,
  "no-route": 404,
  refused: 409,
  unreachable: 503,
  timeout: 503,
  reset: 503,
  closed: 503,
  exhausted: 503,
  internal: 500,
};

export const failed = (thrown: unknown): Reply =>
  say(STATUS[asGateError(thrown).failure], causeChain(thrown));

const reads = (GET: Handler): Route => ({ GET, time: READ_TIME });
const instant = (GET: Handler): Route => ({ GET, instant: true, time: READ_TIME });
const verdict = (good: boolean, yes: string, no: string): Reply => good ? say(200, yes) : say(503, no);
