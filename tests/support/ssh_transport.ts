/** Two transports of SSH with a bridge between them: bytes cross when the test says so, in pieces of its choice. */
import { generateKeyPairSync } from "node:crypto";
import { SigningKey } from "../../gate/engine/openssl_keys.ts";
import type { GateError } from "../../gate/errors.ts";
import type { Above, Secured } from "../../protocols/ssh/above.ts";
import { type HostKey, hostKeyOf, type HostTrust } from "../../protocols/ssh/host_key.ts";
import { type Settings, Transport } from "../../protocols/ssh/transport.ts";
import { encoded } from "../../protocols/ssh/wire.ts";
import { LooseJoint } from "./loose_joint.ts";
import { pause } from "./on_loop.ts";

/** A fresh key of a server: what it signs with, and its private part as PEM of PKCS #8. */
export interface MadeHostKey extends HostKey {
  readonly pem: string;
}

export function makeHostKey(algorithm: "ecdsa-sha2-nistp256" | "ssh-ed25519" = "ssh-ed25519"): MadeHostKey {
  const { privateKey, publicKey } = algorithm === "ssh-ed25519"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const octets = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
  const blob = encoded((to) => {
    to.text(algorithm);
    if (algorithm === "ssh-ed25519") to.string(octets(x));
    else to.text("nistp256").string(Uint8Array.of(4, ...octets(x), ...octets(y)));
  });
  const key = new SigningKey(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })));
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { ...hostKeyOf(algorithm, blob, key), pem };
}

/** Believes these keys alone. */
export const believing = (...keys: readonly HostKey[]): HostTrust => ({
  algorithms: keys.map(({ algorithm }) => algorithm),
  judge: (_algorithm, blob) =>
    keys.some((key) => key.blob.toHex() === blob.toHex())
      ? undefined
      : { failure: "refused", side: "upstream", message: "Cannot believe the server: unknown" } as GateError,
});

/** Believes everybody, by these algorithms. */
export const credulous = (...algorithms: readonly string[]): HostTrust => ({
  algorithms,
  judge: () => undefined,
});

/** What lies above, for a look: it remembers everything. */
export class Observer implements Above {
  facts: Secured | undefined;
  services: string[] = [];
  messages: Uint8Array[] = [];
  broken: GateError[] = [];
  rooms = 0;
  flushes = 0;
  /** Numbers that are known. */
  knows: (number: number) => boolean = () => true;
  onMessage: (bytes: Uint8Array, at: number, size: number) => void = () => {};
  onRoom: () => void = () => {};

  secured(facts: Secured): void {
    this.facts = facts;
  }

  service(name: string): boolean {
    this.services.push(name);
    return name === "ssh-userauth";
  }

  message(number: number, bytes: Uint8Array, at: number, size: number): boolean {
    this.messages.push(bytes.slice(at, at + size));
    this.onMessage(bytes, at, size);
    return this.knows(number);
  }

  flush(): void {
    this.flushes++;
  }

  room(): void {
    this.rooms++;
    this.onRoom();
  }

  broke(reason: GateError): void {
    this.broken.push(reason);
  }
}

/** One end of the bridge. */
export interface End {
  readonly transport: Transport;
  readonly joint: LooseJoint;
  readonly above: Observer;
}

export const TIMEOUT = 5000;
const DEFAULT_KEY = makeHostKey();

export class Bridge implements Disposable {
  readonly server: End;
  readonly client: End;
  /** What crossed, by who sent it. */
  readonly crossed = { server: 0, client: 0 };
  /** Changes what one end sent before it comes to the other. */
  tamper: (bytes: Uint8Array, from: "server" | "client") => Uint8Array = (bytes) => bytes;

  constructor(server: Partial<Settings> = {}, client: Partial<Settings> = {}) {
    const hostKeys = server.hostKeys ?? [DEFAULT_KEY];
    this.server = end("server", { hostKeys, exchangeTimeout: TIMEOUT, ...server });
    this.client = end("client", { trust: believing(...hostKeys), exchangeTimeout: TIMEOUT, ...client });
  }

  /** Carries what was committed, in pieces of so many bytes, until nothing moves. */
  async cross(piece = 1 << 20): Promise<void> {
    for (let idle = 0; idle < 3;) {
      const moved = this.#carry("client", piece) + this.#carry("server", piece);
      await pause(0); // for what waits for a turn
      idle = moved > 0 ? 0 : idle + 1;
    }
  }

  /** Up to the service: whether it came to that. */
  async secure(piece?: number): Promise<boolean> {
    await this.cross(piece);
    if (!this.client.above.facts) return false;
    this.client.transport.requestService("ssh-userauth");
    await this.cross(piece);
    return this.client.above.services.length === 1;
  }

  /** Both ends let go. */
  close(): void {
    this.client.transport.disconnect(11, "bye");
    this.server.transport.disconnect(11, "bye");
    for (const { joint } of [this.client, this.server]) joint.taker?.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #carry(from: "server" | "client", piece: number): number {
    const to = this[from === "server" ? "client" : "server"];
    const sent = this[from].joint.drain(), bytes = sent.length > 0 ? this.tamper(sent, from) : sent;
    this.crossed[from] += bytes.length;
    for (let at = 0; at < bytes.length; at += piece) to.joint.give(bytes.slice(at, at + piece));
    if (sent.length === 0 && this[from].joint.ended) to.joint.taker!.end();
    return sent.length;
  }
}

function end(role: "server" | "client", settings: Settings): End {
  const joint = new LooseJoint(), above = new Observer();
  return { transport: new Transport(role, joint, settings, above), joint, above };
}
