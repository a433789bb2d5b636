/**
 * What an engine thread is: it takes orders, accepts, tells apart, serves, and journals. The Worker's entry file calls
 * startEngine with the registry; main is in supervisor.ts.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { formatTarget } from "./address.ts";
import { Admission, type Registry } from "./admission.ts";
import { Acceptor } from "./engine/acceptor.ts";
import { EPOLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./engine/layout.ts";
import { after, again, beatInto, onFault, run, stop, watch } from "./engine/loop.ts";
import { endSelection } from "./engine/openssl_alpn.ts";
import { ownAs, owned } from "./engine/owned.ts";
import { clearEvent, libc } from "./engine/sys.ts";
import { causeChain } from "./errors.ts";
import { Journal } from "./journal.ts";
import type { Bound, Order, Report, Start } from "./orders.ts";
import type { AuthorizedKey } from "./identity/logins.ts";
import type { CertificateRule, PolicyRule, RouteRule, Snapshot } from "./snapshot.ts";

/** How often records and counters go to main, ms. */
const REPORT_INTERVAL = 200;
/** Orders are taken for so long in one turn, ms. */
const SLICE = 0.5;
/** What is left of connections that were aborted gets this long, ms. */
const STOP_TIME = 100;

const post = (report: Report, moved: ArrayBuffer[] = []): void => self.postMessage(report, moved);

/** Waits for the start message of main, then runs until it is told to stop. */
export function startEngine(registry: Registry): void {
  self.addEventListener("message", ({ data }: MessageEvent<Start>) => void new Engine(registry, data).run(), {
    once: true,
  });
  const told = (what: string) => (event: Event & { reason?: unknown; error?: unknown }) => {
    event.preventDefault();
    tellFault(what, event.reason ?? event.error);
  };
  self.addEventListener("unhandledrejection", told("promise"));
  self.addEventListener("error", told("error"));
}

function tellFault(what: string, thrown: unknown): void {
  const stack = thrown instanceof Error ? `\n${thrown.stack}` : "";
  post({ op: "fault", what, text: causeChain(thrown) + stack });
}

class Engine {
  readonly #start: Start;
  readonly #journal: Journal;
  readonly #admission: Admission;
  readonly #acceptors = new Map<number, Acceptor>();
  /** Of the snapshot that is on its way. */
  readonly #routes: RouteRule[] = [];
  readonly #policy: PolicyRule[] = [];
  readonly #certificates: CertificateRule[] = [];
  #keys: AuthorizedKey[] = [];

  constructor(registry: Registry, start: Start) {
    this.#start = start;
    ownAs(start.memory.owners, start.engine);
    beatInto(start.memory.beats, start.engine);
    this.#journal = new Journal(
      start.snapshot.log,
      (batch) => post({ op: "journal", batch }, [batch.lines.buffer]),
    );
    this.#admission = new Admission(registry, start, this.#journal, {
      ask: (id, question) => post({ op: "question", id, question }),
      askForFiles: (fd, site) => post({ op: "files", fd, site }),
      register: post,
      tellOfVisits: post,
      throttled: (source) => post({ op: "throttled", source }),
      cross: (engine, crossing) => post({ op: "cross", engine, crossing }),
      endpointChanged: ({ target }, failure) => {
        post({ op: "endpoint", endpoint: formatTarget(target), reason: failure?.message });
      },
    });
  }

  async run(): Promise<void> {
    onFault(tellFault);
    const wake = owned(libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC));
    watch(wake, {
      onEvent: () => {
        clearEvent(wake);
        this.#takeOrders();
      },
    }, EPOLLIN);
    await this.#admission.prepare();
    this.#report();
    post({ op: "ready", wake });
    try {
      await run();
    } catch (thrown) {
      tellFault("loop", thrown);
    }
    endSelection();
    this.#flush();
    post({ op: "stopped" });
  }

  /** Those that take long come in many: others get their turn between them. */
  #takeOrders(): void {
    const until = performance.now() + SLICE;
    while (performance.now() < until) {
      const received = receiveMessageOnPort(
        this.#start.port as unknown as Parameters<typeof receiveMessageOnPort>[0],
      );
      if (!received) return;
      try {
        this.#obey(received.message as Order);
      } catch (thrown) {
        tellFault("order", thrown); // those behind it would wait for the next signal
      }
    }
    again(() => this.#takeOrders());
  }

  #obey(order: Order): void {
    switch (order.op) {
      case "listen":
        return this.#listen(order.bound);
      case "unlisten":
        return this.#unlisten(order.fd);
      case "rules":
        this.#routes.push(...order.routes);
        this.#policy.push(...order.policy);
        return;
      case "certificates":
        return void this.#certificates.push(...order.certificates);
      case "keys":
        return void this.#keys.push(...order.keys);
      case "ticketKeys":
        return this.#admission.tlsContexts.setTicketKeys(order.keys);
      case "challenges":
        return this.#admission.challenges.replace(order.challenges);
      case "snapshot":
        this.#admission.apply(this.#whole(order.snapshot));
        return order.handed.forEach((bound) => this.#listen(bound));
      case "answer":
        return this.#admission.questions.answered(order.answer);
      case "changed":
        return this.#admission.questions.forget(order.patterns);
      case "registered":
        return this.#admission.mesh.registered(order.id, order.refused);
      case "lost":
        return this.#admission.mesh.lost(order.id, order.reason);
      case "names":
        return this.#admission.mesh.names.apply(order.change);
      case "cross":
        return this.#admission.cross(order.crossing);
      case "watching":
        return this.#admission.roster.visits.far.watching(order.connection, order.on);
      case "visits":
        return this.#admission.roster.visits.came(order.visits);
      case "list":
        return this.#admission.roster.list(order.most, (connections, total, more) => {
          post({ op: "listed", id: order.id, total, connections, more });
        });
      case "nodes":
        return this.#admission.mesh.list((nodes, more) => post({ op: "nodes", id: order.id, nodes, more }));
      case "count":
        return this.#admission.roster.count((proven) => {
          this.#flush();
          post({ op: "counted", id: order.id, population: { ...this.#admission.mesh.counts, proven } });
        });
      case "drain":
        return this.#admission.drain(() => {
          this.#flush();
          post({ op: "drained" });
        });
      case "stop":
        return this.#stop();
    }
  }

  /** With what came before it. */
  #whole(snapshot: Snapshot): Snapshot {
    const { ssh } = snapshot, keys = this.#keys;
    this.#keys = [];
    return {
      ...snapshot,
      routes: this.#routes.splice(0),
      policy: this.#policy.splice(0),
      certificates: this.#certificates.splice(0),
      ssh: ssh && { ...ssh, logins: { ...ssh.logins, keys } },
    };
  }

  /** The socket may have been another listener's until now. */
  #listen(bound: Bound): void {
    this.#acceptors.get(bound.fd)?.close();
    this.#acceptors.set(bound.fd, new Acceptor(bound.fd, this.#admission.listen(bound)));
  }

  #unlisten(fd: number): void {
    const acceptor = this.#acceptors.get(fd);
    this.#acceptors.delete(fd);
    if (!acceptor) return post({ op: "unlistened", fd }); // this engine was not told to watch it yet
    acceptor.finish(() => {
      this.#admission.unlisten(fd);
      post({ op: "unlistened", fd });
    });
  }

  #stop(): void {
    for (const acceptor of this.#acceptors.values()) acceptor.close();
    this.#acceptors.clear();
    this.#admission.abortAll();
    after(STOP_TIME, stop);
  }

  #report(): void {
    after(REPORT_INTERVAL, () => this.#report()); // first: a fault of one report must not end all of them
    this.#flush();
  }

  #flush(): void {
    this.#journal.flush();
    const hits = this.#admission.census.takeHits();
    if (hits.length > 0) post({ op: "limits", hits });
  }
}
