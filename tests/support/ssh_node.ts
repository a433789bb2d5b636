/**
 * A light client of SSH on the loop of the engine, many of them in one thread: it logs in by a key, opens channels,
 * registers names, and serves who comes by them.
 */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { parseIp } from "../../gate/address.ts";
import { Dial } from "../../gate/engine/dial.ts";
import { promiseResolved } from "../../gate/engine/loop.ts";
import { SigningKey } from "../../gate/engine/openssl_keys.ts";
import { ipSocketAddress } from "../../gate/engine/sockaddr.ts";
import { libc } from "../../gate/engine/sys.ts";
import { GateError } from "../../gate/errors.ts";
import type { Joint, Stream } from "../../gate/streams.ts";
import type { Secured } from "../../protocols/ssh/above.ts";
import { Connection } from "../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../protocols/ssh/channels/opening.ts";
import { Login } from "../../protocols/ssh/client/login.ts";
import { type HostKey, hostKeyOf } from "../../protocols/ssh/host_key.ts";
import { BY_APPLICATION, PROHIBITED } from "../../protocols/ssh/numbers.ts";
import { Transport } from "../../protocols/ssh/transport.ts";
import { encoded, type Reader } from "../../protocols/ssh/wire.ts";
import { credulous } from "./ssh_transport.ts";

const ALGORITHM = "ssh-ed25519", HOST_ALGORITHMS = ["ecdsa-sha2-nistp256", ALGORITHM];
/** ms until it stands; until its keys are exchanged. */
const DIAL_TIME = 15_000, EXCHANGE_TIME = 15_000;
const MOST_CHANNELS = 1000;

/** A key that may be written down: other processes log in with it, too. */
export interface NodeKey {
  /** A line of authorized_keys. */
  readonly line: string;
  /** PKCS #8 as PEM. */
  readonly pem: string;
}

export function makeNodeKey(): NodeKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const point = Uint8Array.fromBase64(publicKey.export({ format: "jwk" }).x!, { alphabet: "base64url" });
  const blob = encoded((to) => to.text(ALGORITHM).string(point));
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { line: `${ALGORITHM} ${blob.toBase64()}`, pem };
}

/** What signs by it, for the life of this thread. */
export function signer({ line, pem }: NodeKey): HostKey {
  const pkcs8 = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return hostKeyOf(
    ALGORITHM,
    Uint8Array.fromBase64(line.split(" ")[1]),
    new SigningKey(new Uint8Array(pkcs8)),
  );
}

/** A socket to a port of loopback. Rejects with GateError. */
export function dialLoopback(port: number, from = "127.0.0.1"): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      promiseResolved();
      act();
    };
    new Dial([{ host: "127.0.0.1", port }], DIAL_TIME, {
      beforeConnect: (fd) => {
        const { bytes } = ipSocketAddress(parseIp(from)!, 0);
        libc.bind(fd, bytes, bytes.length);
      },
      stood: (socket) => settle(() => resolve(socket)),
      failed: (reason) => settle(() => reject(reason)),
    });
  });
}

export interface NodeOptions {
  readonly port: number;
  readonly key: HostKey;
  readonly from?: string;
  /** It stands: from now on the gate knows of it. */
  readonly stood?: () => void;
  /** Changes what carries it. */
  readonly under?: (joint: Joint) => Joint;
}

export class SshNode {
  /** Serves who comes by a name. */
  serves: (stream: Stream) => void = (stream) => void echo(stream).catch(() => {});
  /** Why it is over, once it is. */
  broken: GateError | undefined;
  onBroken: () => void = () => {};
  readonly #transport: Transport;
  readonly #connection: Connection;

  private constructor(transport: Transport, { roundTrip }: Secured) {
    this.#transport = transport;
    this.#connection = new Connection(transport, {
      opens: (opening) => this.#opens(opening),
      request: (_name, _from, answer) => answer?.no(),
      broke: (reason) => {
        this.broken = reason;
        this.onBroken();
      },
    }, { most: MOST_CHANNELS, roundTrip });
  }

  /** Rejects with GateError: "unauthenticated" where the key is not taken. */
  static async login(options: NodeOptions): Promise<SshNode> {
    const { key, under = (joint) => joint } = options;
    const joint = under((await dialLoopback(options.port, options.from)).joint!());
    options.stood?.();
    return await new Promise((resolve, reject) => {
      const login = new Login({
        user: "node",
        keys: [{ blob: key.blob, name: "key" }],
        keyring: {
          sign: ({ data }) => {
            promiseResolved();
            return Promise.resolve(key.sign(data));
          },
        },
        settled: (outcome) => {
          promiseResolved();
          if (outcome instanceof GateError) reject(outcome);
          else resolve(new SshNode(transport, outcome));
        },
      });
      const trust = credulous(...HOST_ALGORITHMS);
      const transport = new Transport("client", joint, { trust, exchangeTimeout: EXCHANGE_TIME }, login);
      login.transport = transport;
    });
  }

  get isOver(): boolean {
    return this.#transport.isOver;
  }

  /** To a port that the gate reaches. Rejects with GateError. */
  open(host: string, port: number): Promise<Stream> {
    return this.#channel(
      "direct-tcpip",
      encoded((to) => to.text(host).uint32(port).text("127.0.0.1").uint32(0)),
    );
  }

  /** Whether the gate forwards `bind:port` to here from now on. */
  forward(bind: string, port: number, isOn = true): Promise<boolean> {
    const name = isOn ? "tcpip-forward" : "cancel-tcpip-forward";
    return new Promise((resolve) =>
      this.#connection.ask(name, encoded((to) => to.text(bind).uint32(port)), (granted) => {
        promiseResolved();
        resolve(granted);
      })
    );
  }

  /** A session that runs a command, or without one the shell on a terminal: its stream, and its exit status once that came. */
  async session(command?: string): Promise<{ stream: Stream; exit: () => number | undefined }> {
    let exit: number | undefined;
    const heard = (name: string, from: Reader) => {
      if (name === "exit-status") exit = from.uint32();
    };
    const stream = await this.#channel("session", new Uint8Array(0), (channel) => {
      if (command !== undefined) return channel.request("exec", encoded((to) => to.text(command)));
      channel.request("pty-req", encoded((to) => to.text("xterm").uint32(80).uint32(24).uint64(0n).text("")));
      channel.request("shell", new Uint8Array(0));
    }, heard);
    return { stream, exit: () => exit };
  }

  rekey(): void {
    this.#transport.rekey();
  }

  /** Says goodbye. */
  close(): void {
    if (this.isOver) return;
    this.#transport.disconnect(BY_APPLICATION, "done");
    this.#connection.broke(new GateError("closed", "gate", "Cannot go on: closed"));
  }

  /** The gate sees a reset. */
  reset(): void {
    const reason = new GateError("closed", "gate", "Cannot go on: reset");
    this.#transport.abort(reason);
    this.#connection.broke(reason);
  }

  #channel(
    type: string,
    data: Uint8Array,
    opened: (channel: ReturnType<Connection["open"]>) => void = () => {},
    request?: (name: string, from: Reader) => void,
  ): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const channel = this.#connection.open(type, data, {
        opened: () => {
          promiseResolved();
          opened(channel);
          resolve(channel.stream);
        },
        refused: (reason) => {
          promiseResolved();
          reject(reason);
        },
        request: (name, from, answer) => {
          request?.(name, from);
          answer?.no();
        },
      });
    });
  }

  #opens(opening: Opening): void {
    if (opening.type !== "forwarded-tcpip") return opening.refuse(PROHIBITED, "not here");
    promiseResolved();
    this.serves(opening.accept().stream);
  }
}

/** Sends back what comes, up to its end. */
export async function echo(stream: Stream): Promise<void> {
  const bytes = new Uint8Array(65536);
  for (let size; (size = await stream.read(bytes)) !== null;) await stream.write(bytes, size);
  await stream.closeWrite();
}

/** Everything up to the end; a reset throws. */
export async function readAll(stream: Stream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [], bytes = new Uint8Array(65536);
  let whole = 0;
  for (let size; (size = await stream.read(bytes)) !== null; whole += size) parts.push(bytes.slice(0, size));
  const all = new Uint8Array(whole);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What an echo makes of `bytes`; throws where it is reset. */
export async function exchanged(stream: Stream, bytes: Uint8Array): Promise<Uint8Array> {
  const put = async () => {
    await stream.write(bytes);
    await stream.closeWrite();
  };
  const [got] = await Promise.all([readAll(stream), put()]);
  return got;
}

/** Through a SOCKS listener to `host:port`; throws where that does not go. */
export async function socksTo(stream: Stream, host: string, port: number): Promise<void> {
  const name = new TextEncoder().encode(host);
  await stream.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 3, name.length, ...name, port >> 8, port & 255));
  const answer = await stream.next((bytes, phase) => {
    if (bytes.length < 12 && phase === "open") return 12;
    return { used: Math.min(12, bytes.length), code: bytes[3] ?? -1 };
  });
  if (answer.code !== 0) throw new Error(`socks reply ${answer.code}`);
}
