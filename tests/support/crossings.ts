/** The ways that a request may take through the gate: in clear or over TLS on either side of it. */
import net from "node:net";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { Authority } from "./certificates.ts";
import { startGate, type TestGate } from "./gate.ts";
import { type RawPeer, type RawUpstream, rawUpstream } from "./http_peers.ts";
import { type Client, connect } from "./net.ts";
import { connectSecure } from "./tls_clients.ts";

export type Leg = "in clear" | "over TLS";

export interface Way {
  /** From the client, and to the upstream. */
  readonly front: Leg;
  readonly back: Leg;
}

const LEGS = ["in clear", "over TLS"] as const;
export const WAYS: readonly Way[] = LEGS.flatMap((front) => LEGS.map((back) => ({ front, back })));
export const nameOfWay = ({ front, back }: Way): string =>
  front === back ? front : `${front}, ${back} from there`;

const HOST = "a.example";
const authority = await Authority.make("crossings");
const site = await authority.issue([HOST]), served = await authority.issue(["127.0.0.1"]);
openssl(); // it stays open: not in a test

export interface CrossingOptions {
  /** Keys of the route beside its target, and of `limits`. */
  readonly route?: string;
  readonly limits?: string;
  readonly threads?: number;
  readonly idleTimeout?: string;
}

/** A gate between clients and an upstream whose every byte the test says. */
export class Crossing implements AsyncDisposable {
  private constructor(
    readonly way: Way,
    readonly gate: TestGate,
    readonly upstream: RawUpstream,
  ) {}

  static async start(
    way: Way,
    serve: (peer: RawPeer) => void | Promise<void> = () => {},
    { route = "", limits = "", threads = 1, idleTimeout = "10s" }: CrossingOptions = {},
  ): Promise<Crossing> {
    const upstream = await rawUpstream(serve, 0, way.back === "over TLS" ? served : undefined);
    const to = way.back === "over TLS"
      ? `"https://127.0.0.1:${upstream.port}", upstreamTls: { ca: "${authority.root.chainFile}" }`
      : `"http://127.0.0.1:${upstream.port}"`;
    try {
      const gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: ${to}${route && `, ${route}`} }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
engine: { threads: ${threads} }
limits: { idleTimeout: ${idleTimeout}${limits && `, ${limits}`} }
`);
      return new Crossing(way, gate, upstream);
    } catch (thrown) {
      await upstream[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** A client; over TLS its reset is one of TCP, too. */
  async connect(): Promise<Client> {
    const port = this.gate.port("edge");
    if (this.way.front === "in clear") return await connect(port);
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    await new Promise<void>((stands, failed) => {
      socket.once("connect", stands);
      socket.once("error", failed);
    });
    const { client } = await connectSecure({ socket, servername: HOST, ca: authority.root.chain });
    return Object.assign(client, { reset: () => void socket.resetAndDestroy() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}
