/** A gate's admin page without the gate: a real HTTP server that answers what a test gives it. */
import type { LiveConnection, NodeStatus, ReloadOutcome, Status, Trial } from "../../gate/operations.ts";

/** What it answers; a test changes it as it goes. */
export interface AdminState {
  status: Status;
  connections: LiveConnection[];
  nodes: NodeStatus[];
  outcome: ReloadOutcome;
  trial?: Trial;
  /** The file on disk is not what was read. */
  changed?: boolean;
  /** Set: the trial was confirmed. */
  confirmed?: string;
  /** Called for each request, before it is answered: what it throws is answered as 500. */
  seen: (request: Request, body: string) => void | Promise<void>;
}

export const STATUS: Status = {
  version: "0.1.0",
  startedAt: "2026-01-02T03:04:05.000Z",
  draining: false,
  configuration: { files: ["/etc/ugate/ugate.yaml"] },
  listeners: [
    {
      listener: "edge",
      address: "[::]:443",
      protocols: ["tls", "ssh"],
      active: 2,
      ended: 10,
      up: 2048,
      down: 5e6,
    },
    {
      listener: "local",
      address: "127.0.0.1:1080",
      protocols: ["socks"],
      active: 1,
      ended: 0,
      up: 0,
      down: 0,
    },
  ],
  engines: [{ engine: 0, restarts: 0, alive: true }],
  endpoints: [],
  requests: [],
  certificates: [],
  connections: 3,
  limitHits: {},
  authFailures: 0,
  ended: [],
};

export function liveConnection(id: number, more: Partial<LiveConnection> = {}): LiveConnection {
  return {
    id,
    listener: "edge",
    peer: `192.0.2.${id % 250}:4711`,
    protocol: "tls",
    target: `host${id}.example:443`,
    up: 1000 * id,
    down: 2000 * id,
    began: Date.now() - 1000 * id,
    stage: "relaying",
    ...more,
  };
}

export class AdminApi implements AsyncDisposable {
  readonly state: AdminState = {
    status: STATUS,
    connections: [],
    nodes: [],
    outcome: { result: "unchanged", changes: [], warnings: [], problems: [] },
    seen: () => {},
  };
  readonly #server: Deno.HttpServer;
  readonly #cut = new AbortController();

  /** On loopback, or on the unix socket of that path. */
  constructor(path?: string) {
    const handler = (request: Request) => this.#answer(request);
    const options = {
      signal: this.#cut.signal,
      onListen: () => {},
      onError: (thrown: unknown) => new Response(String(thrown), { status: 500 }),
    };
    this.#server = path === undefined
      ? Deno.serve({ hostname: "127.0.0.1", port: 0, ...options }, handler)
      : Deno.serve({ path, ...options }, handler);
  }

  /** As `--admin` takes it. */
  get address(): string {
    const { addr } = this.#server;
    if (addr.transport === "tcp") return `127.0.0.1:${addr.port}`;
    return addr.transport === "unix" ? `unix:${addr.path}` : "";
  }

  /** Dies: what is asked now gets no answer. */
  cut(): void {
    this.#cut.abort();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    await this.state.seen(request, await request.text());
    const { status, connections, nodes, outcome, trial } = this.state;
    switch (`${request.method} ${pathname}`) {
      case "GET /status":
        return Response.json(status);
      case "GET /connections": {
        const most = Number(searchParams.get("most"));
        return Response.json({ total: connections.length, connections: connections.slice(0, most) });
      }
      case "GET /nodes": {
        const most = Number(searchParams.get("most"));
        return Response.json({ total: nodes.length, nodes: nodes.slice(0, most) });
      }
      case "GET /trial":
        return trial ? Response.json(trial) : new Response("Cannot find a trial\n", { status: 404 });
      case "POST /reload": {
        const given = searchParams.has("confirm") ? { ...outcome, trial } : outcome;
        return Response.json(given, { status: outcome.result === "refused" ? 422 : 200 });
      }
      case "POST /confirm":
        if (searchParams.get("id") !== trial?.id) return new Response("no such trial\n", { status: 409 });
        if (this.state.changed) return new Response("changed\n", { status: 412 });
        this.state.confirmed = trial?.id;
        this.state.trial = undefined;
        return new Response("confirmed\n");
    }
    return new Response("Cannot find this page\n", { status: 404 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.race([this.#server.shutdown(), this.#server.finished]);
  }
}
