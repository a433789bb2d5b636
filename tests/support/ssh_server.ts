/** A server of SSH on the loop of a test, which does what the test says: whom it lets in, and what becomes of channels. */
import type { Endpoint, Wrapping } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { sshName } from "../../gate/identity/identity.ts";
import type { Above } from "../../protocols/ssh/above.ts";
import { Connection } from "../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../protocols/ssh/channels/opening.ts";
import { ClientKeyring, type IdentityKey } from "../../protocols/ssh/client/keyring.ts";
import { SIGNATURE_ALGORITHMS } from "../../protocols/ssh/keys/algorithms.ts";
import { fingerprint, type PublicKey, readPublicKey } from "../../protocols/ssh/keys/public_key.ts";
import { verifySignature } from "../../protocols/ssh/keys/signature.ts";
import { Transport } from "../../protocols/ssh/transport.ts";
import { encoded, Reader } from "../../protocols/ssh/wire.ts";
import { type MadeHostKey, makeHostKey } from "./ssh_transport.ts";
import { SUBJECTS } from "./stream_pairs.ts";

const REQUEST = 50, REFUSED = 51, WELCOME = 52, KEY_TAKEN = 60;
const EXCHANGE_TIME = 5000;

export interface Serving {
  readonly keys?: readonly MadeHostKey[];
  /** Absent: every key. */
  readonly takes?: (blob: Uint8Array, user: string) => boolean;
  /** Absent: what is sent comes back. */
  readonly opens?: (opening: Opening) => void;
  /** Changes what it sends. */
  readonly under?: (stream: Stream) => Stream;
}

export class ToyServer {
  /** Connections that were dialed; logins that succeeded; keys that were asked for or shown, by their names. */
  dials = 0;
  logins = 0;
  asked: string[] = [];
  readonly connections: Connection[] = [];
  readonly transports: Transport[] = [];
  readonly #serving: Serving;
  readonly keys: readonly MadeHostKey[];

  constructor(serving: Serving = {}) {
    this.#serving = serving;
    this.keys = serving.keys ?? [makeHostKey()];
  }

  get identity(): string {
    return sshName(fingerprint(this.keys[0].blob));
  }

  /** A stream to it. */
  readonly lower = async (): Promise<Stream> => {
    this.dials++;
    const [near, far] = await SUBJECTS["TCP"].pair();
    new Visit(this, this.#serving, this.#serving.under?.(far) ?? far);
    return near;
  };
}

class Visit implements Above {
  readonly #transport: Transport;
  #session = new Uint8Array(0) as Uint8Array;

  constructor(readonly server: ToyServer, readonly serving: Serving, stream: Stream) {
    this.#transport = new Transport("server", stream.joint!(), {
      hostKeys: server.keys,
      signatureAlgorithms: SIGNATURE_ALGORITHMS,
      exchangeTimeout: EXCHANGE_TIME,
    }, this);
    server.transports.push(this.#transport);
  }

  secured({ session }: { session: Uint8Array }): void {
    this.#session = session;
  }

  service(name: string): boolean {
    return name === "ssh-userauth";
  }

  message(number: number, bytes: Uint8Array, at: number, size: number): boolean {
    if (number !== REQUEST) return false;
    const payload = bytes.slice(at, at + size), from = new Reader(payload, 1);
    const user = from.text();
    from.text();
    if (from.text() !== "publickey") return this.#refuse();
    const signed = from.boolean(), algorithm = from.text(), blob = from.string().slice();
    this.server.asked.push(`${algorithm}${signed ? " signed" : ""}`);
    if (!(this.serving.takes ?? (() => true))(blob, user)) return this.#refuse();
    if (!signed) {
      this.#transport.send(encoded((to) => to.byte(KEY_TAKEN).text(algorithm).string(blob)));
      return true;
    }
    const end = from.at, key = readPublicKey(blob) as PublicKey;
    const data = encoded((to) => to.string(this.#session).raw(payload.subarray(0, end)));
    if (verifySignature(key, from.string(), data, { algorithm }) !== true) return this.#refuse();
    this.#welcome();
    return true;
  }

  flush(): void {}
  room(): void {}
  broke(): void {}

  #refuse(): true {
    this.#transport.send(encoded((to) => to.byte(REFUSED).nameList(["publickey"]).boolean(false)));
    return true;
  }

  #welcome(): void {
    this.server.logins++;
    this.#transport.send(Uint8Array.of(WELCOME));
    this.server.connections.push(
      new Connection(this.#transport, {
        opens: this.serving.opens ?? echo,
        request: (_name, _from, answer) => answer?.no(),
        broke: () => {},
      }, { most: 1000, roundTrip: 1 }),
    );
  }
}

/** Sends back what comes, up to its end. */
export function echo(opening: Opening): void {
  const { stream } = opening.accept();
  const bytes = new Uint8Array(4096);
  const carry = async () => {
    for (let size; (size = await stream.read(bytes)) !== null;) await stream.write(bytes.slice(0, size));
    await stream.closeWrite();
  };
  carry().catch(() => {});
}

export interface Client extends Wrapping {
  readonly abort: (reason: unknown) => void;
}

/** Somebody who has this key, and believes whom the lines of known hosts name. */
export function client(keys: readonly IdentityKey[], known = ""): Client {
  const controller = new AbortController();
  return {
    peer: { address: "127.0.0.1", layers: [] },
    signal: controller.signal,
    keyring: new ClientKeyring({
      user: "somebody",
      identities: () => Promise.resolve(keys),
      knownHosts: [{ file: "known", text: known }],
      warn: () => {},
    }),
    keys: "",
    abort: (reason) => controller.abort(reason),
  };
}

/** Somewhere behind `gate.test`. */
export const behind = (more: Partial<Endpoint> = {}): Endpoint => ({
  address: { host: "inside.test", port: 80 },
  via: { host: "gate.test", port: 22 },
  layers: ["ssh"],
  ...more,
});
