/** A gate that writes down what a protocol asks of it, and a connection, both in memory. */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate, Limits, Listening, Offer, Peer, Protocol } from "../../gate/contracts.ts";
import type {
  Credentials,
  PasswordRule,
  Requested,
  RequestRecord,
  Routed,
  TokenAnswer,
  TokenRule,
} from "../../gate/requests.ts";
import type { Stream } from "../../gate/streams.ts";
import type { NodeStatus, Printed, Reading, Visit } from "../../gate/operations.ts";
import { nodeStatus } from "./operations.ts";
import { asGateError, GateError } from "../../gate/errors.ts";
import type { MemoryStream } from "./memory_stream.ts";

export const LIMITS: Limits = {
  connections: 100,
  perSource: 100,
  reserve: {},
  sniffTimeout: 3000,
  handshakeTimeout: 10_000,
  dialTimeout: 10_000,
  idleTimeout: 3_600_000,
  headSize: 65536,
  grace: 30_000,
  headTimeout: 10_000,
  bodyTimeout: 60_000,
  keepAlive: 75_000,
  requestsPerConnection: 10_000,
};

/** What the gate does when it is asked. */
export interface Script {
  /** What connect gives; a GateError is thrown. Without: "no-route". */
  readonly upstream?: (target: Target | undefined) => Stream | GateError | Promise<Stream>;
  readonly login?: (user: string, password: string) => boolean;
  /** A GateError is thrown. */
  readonly token?: (rule: TokenRule, token: string) => TokenAnswer | GateError;
  /** The route of a request, or why there is none; without, nothing is handled request by request. */
  readonly route?: (request: Requested) => Routed | GateError;
  /** Why nobody may listen there; undefined: he may. */
  readonly listen?: (address: Target) => GateError | undefined;
  /** Why a registration is refused; undefined: it is granted. */
  readonly offer?: (offer: Offer) => GateError | undefined;
  /** Where whatever its connection's listener speaks comes in. */
  readonly port?: number;
  /** What a command prints; without, it fails. */
  readonly print?: (reading: Reading) => Printed | Promise<Printed>;
}

export class FakeGate implements Gate {
  readonly asked: (Target | undefined)[] = [];
  readonly logins: (readonly [user: string, password: string])[] = [];
  readonly entered: Partial<Peer>[] = [];
  /** Each ends when both directions did. */
  readonly relays: Promise<void>[] = [];
  readonly requests: RequestRecord[] = [];
  /** Connections of channels, and of who came in at sockets that were asked for. */
  readonly branches: FakeConn[] = [];
  /** Sockets that were asked for, and are open. */
  readonly listening = new Set<Listening & { readonly taken: (conn: Conn) => void }>();
  /** What is registered now. */
  readonly offers = new Set<Offer>();
  /** Names that were refused by the protocol itself. */
  readonly noNames: string[] = [];
  /** Who is told of visits. */
  readonly watching = new Set<(visit: Visit) => void>();
  /** Upstreams that were given back, for the next request. */
  readonly idle: Stream[] = [];
  #reused = false;
  #script: Script;

  constructor(script: Script = {}) {
    this.#script = script;
  }

  readonly challenged: boolean = false;

  termination(): undefined {}

  challenge(): undefined {}

  passes(): boolean {
    return true;
  }

  get keyLogins(): never {
    throw new GateError("unsupported", "gate", "Cannot log in: there is no need for it here");
  }

  connect(to: Target | Routed | undefined, _conn?: Conn, reuse = false): Stream | Promise<Stream> {
    const idle = reuse ? this.idle.pop() : undefined;
    this.#reused = idle !== undefined;
    if (idle) return idle;
    const target = to && "host" in to ? to : undefined;
    this.asked.push(target);
    const upstream = this.#script.upstream?.(target) ??
      new GateError("no-route", "gate", "Cannot connect: no route");
    if (upstream instanceof GateError) throw upstream;
    return upstream;
  }

  again(routed: Routed, conn: Conn): Promise<Stream> {
    return Promise.resolve(this.connect(routed, conn));
  }

  handles(): boolean {
    return this.#script.route !== undefined;
  }

  route(request: Requested): Routed {
    const routed = this.#script.route!(request);
    if (routed instanceof GateError) throw routed;
    return routed;
  }

  proxied(): never {
    throw new GateError("denied", "gate", "Cannot connect: it is no proxy");
  }

  reused(): boolean {
    return this.#reused;
  }

  keep(upstream: Stream): void {
    this.idle.push(upstream);
  }

  rate(): number {
    return 0;
  }

  reach(target: Target): Promise<Stream> {
    return Promise.reject(new GateError("refused", "upstream", `Cannot reach ${target.host}`));
  }

  rest(stream: Stream): void {
    stream[Symbol.dispose]();
  }

  hit(): void {}

  requested(_conn: Conn, record: RequestRecord): void {
    this.requests.push(record);
  }

  handOver(_conn: Conn, protocol: string): Promise<void> {
    return Promise.reject(new GateError("unsupported", "gate", `Cannot go on with ${protocol}`));
  }

  relay(conn: Conn, upstream: Stream): void {
    const client = (conn.stream as MemoryStream).move(), server = (upstream as MemoryStream).move();
    this.relays.push(relay(client, server));
  }

  readonly domain: string = "mesh.example.com";

  branch(stream: Stream, outer: Conn): FakeConn {
    const branch = { ...fakeConn(stream), peer: outer.peer, parent: outer.id };
    this.branches.push(branch);
    return branch;
  }

  listen(address: Target, _outer: Conn, taken: (conn: Conn) => void): Listening {
    const refused = this.#script.listen?.(address);
    if (refused) throw refused;
    const listening = { address, taken, [Symbol.dispose]: () => void this.listening.delete(listening) };
    this.listening.add(listening);
    return listening;
  }

  /** Granted, unless the script refuses. */
  node(conn: Conn): NodeStatus {
    return nodeStatus({ id: conn.id, names: Array.from(this.offers, ({ name, port }) => `${name}:${port}`) });
  }

  doorFor(protocol: string, _usual: number, { protocols }: Conn): number | undefined {
    return protocols.includes(protocol) ? this.#script.port : undefined;
  }

  visits(_conn: Conn, hear: (visit: Visit) => void): Disposable {
    this.watching.add(hear);
    return { [Symbol.dispose]: () => void this.watching.delete(hear) };
  }

  async tell(reading: Reading): Promise<Printed> {
    const printed = await this.#script.print?.(reading);
    if (printed) return printed;
    throw new GateError("closed", "gate", "Cannot tell: nobody prints anything here");
  }

  noName(_conn: Conn, { name, port }: Pick<Offer, "name" | "port">, { message }: GateError): void {
    this.noNames.push(`${name}:${port}: ${message}`);
  }

  offer(_conn: Conn, offer: Offer, told: (refused?: GateError) => void): Disposable {
    const refused = this.#script.offer?.(offer);
    if (!refused) this.offers.add(offer);
    queueMicrotask(() => told(refused));
    return { [Symbol.dispose]: () => void this.offers.delete(offer) };
  }

  enter(inner: Stream, _outer: Conn, facts: Partial<Peer>): void {
    (inner as MemoryStream).move();
    this.entered.push(facts);
  }

  async copy(from: Stream, to: Stream, bytes: number): Promise<number> {
    const into = new Uint8Array(4096);
    let moved = 0;
    for (let left = bytes; left > 0;) {
      const size = await from.read(into.subarray(0, Math.min(left, into.length)));
      if (size === null && bytes === Infinity) return moved;
      if (size === null) throw new GateError("closed", "upstream", "Cannot copy: it ended early");
      await to.write(into.subarray(0, size));
      left -= size;
      moved += size;
    }
    return moved;
  }

  login(conn: Conn, user: string, password: string): Promise<boolean> {
    this.logins.push([user, password]);
    const right = this.#script.login?.(user, password) ?? false;
    if (right) conn.peer = { ...conn.peer, user };
    return Promise.resolve(right);
  }

  checkPassword(_rule: PasswordRule, { user, password }: Credentials): Promise<boolean> {
    this.logins.push([user, password]);
    return Promise.resolve(this.#script.login?.(user, password) ?? false);
  }

  checkToken(rule: TokenRule, token: string): Promise<TokenAnswer> {
    const answer = this.#script.token?.(rule, token) ?? { verdict: "wrong", why: "nobody is believed" };
    return answer instanceof GateError ? Promise.reject(answer) : Promise.resolve(answer);
  }
}

async function relay(client: MemoryStream, server: MemoryStream): Promise<void> {
  using _client = client;
  using _server = server;
  await Promise.all([pump(client, server), pump(server, client)]);
}

/** An end is passed on as an end, a reset as a reset. */
export async function pump(from: Stream, to: Stream): Promise<void> {
  const into = new Uint8Array(65536);
  try {
    for (let size; (size = await from.read(into)) !== null;) await to.write(into.subarray(0, size));
    await to.closeWrite();
  } catch (thrown) {
    to.abort(asGateError(thrown));
    from.abort(asGateError(thrown));
  }
}

/** How the protocol serves, as a promise in any case. */
export function servedBy(protocol: Protocol, conn: Conn, gate: Gate): Promise<void> {
  return new Promise((resolve, reject) => {
    conn.served = (thrown) => thrown === undefined ? resolve() : reject(thrown);
    protocol.serve!(conn, gate)?.then(resolve, reject);
  });
}

export interface FakeConn extends Conn {
  /** Every deadline that was set, ms. */
  readonly deadlines: number[];
}

export function fakeConn(
  stream: Stream,
  { asksUser = false, limits = LIMITS, protocols = [] as readonly string[] } = {},
): FakeConn {
  const deadlines: number[] = [];
  return {
    id: 1,
    stream,
    listener: "test",
    peer: { address: "127.0.0.1", port: 40000, layers: [] },
    proven: undefined,
    record: { protocol: "", target: "", endpoint: "", user: "", up: 0, down: 0 },
    limits,
    protocols,
    asksUser,
    believes: () => false,
    deadlines,
    deadline: (ms) => void deadlines.push(ms),
    patience: (ms) => void deadlines.push(ms),
    idle: (ms) => void deadlines.push(ms),
    stopping: false,
    recheck: undefined,
    onStopping: undefined,
    onAbort: undefined,
    served: () => {},
    signal: new AbortController().signal,
  };
}
