/** What a protocol would ask the gate for, found by letting it serve a client's first bytes without any network. */
import type { Target } from "./address.ts";
import type { Conn, Gate, Limits, Peer, Protocol } from "./contracts.ts";
import type { Requested, RequestRecord, Routed, TokenAnswer } from "./requests.ts";
import type { Phase, Stream } from "./streams.ts";
import { asGateError, GateError } from "./errors.ts";
import type { NodeStatus, Printed } from "./operations.ts";

/** A client that sent some bytes, then waits. */
export interface DryClient {
  readonly bytes: Uint8Array;
  readonly listener: string;
  readonly protocols: readonly string[];
  readonly asksUser: boolean;
  readonly limits: Limits;
  readonly peer: Peer;
  readonly believes: Conn["believes"];
  /** What routes ask of requests, where those are routed one by one. */
  readonly requests?: AskedNames;
}

/** Names of headers and of parameters. */
export interface AskedNames {
  readonly headers: readonly string[];
  readonly query: readonly string[];
}

/** What was asked for, and what was known of the client then; or why nothing was. */
export type DryRun =
  | {
    readonly target: Target | undefined;
    readonly peer: Peer;
    readonly request?: Requested;
    /** The client of a proxy named it, within a protocol that names none otherwise. */
    readonly named?: boolean;
    /** Of the request, as trusted proxies tell it. */
    readonly source?: string;
  }
  | { readonly failure: GateError };

/**
 * Serves until the protocol asks for its connection, which it does not get. Any password is taken for right: who the
 * client is, is for the caller to say.
 */
export async function dryRun(name: string, protocol: Protocol, client: DryClient): Promise<DryRun> {
  const { promise: served, resolve, reject } = Promise.withResolvers<void>();
  const conn: Conn = {
    id: 0,
    stream: new Script(client.bytes),
    listener: client.listener,
    peer: client.peer,
    proven: undefined,
    record: { protocol: name, target: "", endpoint: "", user: "", up: 0, down: 0 },
    limits: client.limits,
    protocols: client.protocols,
    asksUser: client.asksUser,
    believes: client.believes,
    deadline: () => {},
    patience: () => {},
    idle: () => {},
    stopping: false,
    recheck: undefined,
    onStopping: undefined,
    onAbort: undefined,
    served: (thrown) => thrown === undefined ? resolve() : reject(thrown),
    signal: new AbortController().signal,
  };
  const gate = new DryGate(client.requests);
  try {
    if (protocol.serve) await (protocol.serve(conn, gate) ?? served);
  } catch (thrown) {
    if (gate.asked === undefined) return { failure: asGateError(thrown) };
  }
  if (gate.asked !== undefined) return { ...gate.asked, peer: conn.peer };
  const nothing = new GateError("closed", "client", `Cannot explain ${name}: it asked for no connection`);
  return { failure: gate.refused ?? nothing };
}

class DryGate implements Gate {
  asked: Omit<Extract<DryRun, { peer: Peer }>, "peer"> | undefined;
  /** Why a request was answered by its protocol itself. */
  refused: GateError | undefined;
  readonly challenged = false;
  readonly domain = "";
  readonly #requests: AskedNames | undefined;

  constructor(requests: AskedNames | undefined) {
    this.#requests = requests;
  }

  challenge(): undefined {}

  /** What the gate serves itself where no route takes it asks for nothing before somebody has logged in. */
  passes(): boolean {
    return true;
  }

  get keyLogins(): never {
    throw new GateError("unsupported", "gate", "Cannot log in: it is only explained");
  }

  connect(to: Target | Routed | undefined): Promise<Stream> {
    this.asked = { target: to && "host" in to ? to : undefined };
    return Promise.reject(new GateError("closed", "gate", "Cannot connect: nothing is dialed to explain"));
  }

  /** Whether TLS ends here is for who explains the route. */
  termination(): undefined {}

  login(conn: Conn, user: string): Promise<boolean> {
    conn.peer = { ...conn.peer, user: conn.peer.user ?? user };
    return Promise.resolve(true);
  }

  again(): Promise<Stream> {
    return this.connect(undefined);
  }

  reach(): Promise<Stream> {
    return this.connect(undefined);
  }

  rate(): number {
    return 0;
  }

  /** Requests are routed, and what they prove is not looked at. */
  checkPassword(): Promise<boolean> {
    return Promise.resolve(false);
  }

  checkToken(): Promise<TokenAnswer> {
    return Promise.resolve({ verdict: "misfit" });
  }

  handles(): boolean {
    return this.#requests !== undefined;
  }

  /** The first one is the one to explain. */
  route(request: Requested): never {
    const { target, source } = request;
    this.asked ??= { target, request: kept(request, this.#requests!), source };
    throw new GateError("no-route", "gate", "Cannot route a request: it is only explained");
  }

  proxied(target: Target, _conn: Conn, source?: string): never {
    this.asked ??= { target, named: true, source };
    throw new GateError("no-route", "gate", "Cannot route a request: it is only explained");
  }

  reused(): boolean {
    return false;
  }

  keep(): void {}
  rest(): void {}
  hit(): void {}
  requested(_conn: Conn, { failure }: RequestRecord): void {
    this.refused ??= failure;
  }
  handOver(): Promise<void> {
    return Promise.reject(new GateError("closed", "gate", "Cannot go on: the first message is explained"));
  }
  relay(): void {}
  enter(): void {}
  branch(): never {
    throw nothingOpens();
  }
  listen(): never {
    throw nothingOpens();
  }
  node(conn: Conn): NodeStatus {
    const { id, listener, record: { protocol } } = conn;
    const nobody = { names: [], identity: "", proof: "", peer: "", since: 0, streams: 0, served: 0 };
    return { ...nobody, id, listener, protocol, up: 0, down: 0 };
  }

  doorFor(): undefined {}

  visits(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }

  tell(): Promise<Printed> {
    return Promise.reject(new GateError("closed", "gate", "Cannot tell of the gate: it is only explained"));
  }

  noName(): void {}

  offer(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }
  copy(): Promise<number> {
    return Promise.reject(new GateError("closed", "gate", "Cannot copy: nothing is dialed to explain"));
  }
}

const nothingOpens = () => new GateError("closed", "gate", "Cannot go on: nothing is opened to explain");

/** The request beyond the call that it is valid in. */
function kept(request: Requested, names: AskedNames): Requested {
  const { target, path, method } = request;
  const headers = new Map(names.headers.map((name) => [name, request.header(name)]));
  const query = new Map(names.query.map((name) => [name, request.query(name)]));
  return {
    ...{ target, path, method, source: request.source },
    header: (name) => headers.get(name),
    query: (name) => query.get(name),
  };
}

/** A stream of bytes that were given; it ends behind them, and what is written to it is lost. */
class Script implements Stream {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  look<T extends object | string | boolean>(
    parse: (head: Uint8Array, phase: Phase) => T | number,
  ): Promise<T> {
    return Promise.try(() => this.#shown((phase) => parse(this.#rest, phase)));
  }

  next<T extends { used: number }>(
    use: (bytes: Uint8Array, phase: Phase) => T | number,
  ): Promise<T> {
    return Promise.try(() => this.poll(use));
  }

  poll<T extends { used: number }>(use: (bytes: Uint8Array, phase: Phase) => T | number): T {
    const result = this.#shown((phase) => use(this.#rest, phase));
    this.#rest = this.#rest.subarray(result.used);
    return result;
  }

  read(into: Uint8Array): Promise<number | null> {
    const size = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, size));
    this.#rest = this.#rest.subarray(size);
    return Promise.resolve(size === 0 ? null : size);
  }

  write(): void {}
  closeWrite(): Promise<void> {
    return Promise.resolve();
  }
  abort(): void {}
  [Symbol.dispose](): void {}

  /** As long as bytes are there more may come; then they have ended. */
  #shown<T extends object | string | boolean>(parse: (phase: Phase) => T | number): T {
    const first = this.#rest.length > 0 ? parse("open") : 1;
    const answer = typeof first === "number" ? parse("ended") : first;
    if (typeof answer !== "number") return answer;
    const state = `${answer} bytes are needed, got ${this.#rest.length}`;
    throw new GateError("closed", "client", `Cannot go on from these bytes: ${state}`);
  }
}
