/** A server's authentication over a bridge, judged by the test; and requests as clients write them. */
import { isSignedBy, type SignatureCheck } from "../../gate/engine/openssl_keys.ts";
import type { GateError } from "../../gate/errors.ts";
import { Authentication, type Judge, type Proof } from "../../protocols/ssh/authentication/authentication.ts";
import { type ShownKey, signedData } from "../../protocols/ssh/authentication/messages.ts";
import type { HostKey } from "../../protocols/ssh/host_key.ts";
import { Refusal } from "../../protocols/ssh/keys/fields.ts";
import type { Admitted, Grant } from "../../protocols/ssh/keys/login.ts";
import { readPublicKey } from "../../protocols/ssh/keys/public_key.ts";
import { USERAUTH_REQUEST } from "../../protocols/ssh/numbers.ts";
import { encoded } from "../../protocols/ssh/wire.ts";
import { Bridge, type Observer } from "./ssh_transport.ts";

export const grantOf = (by: string): Grant => ({
  identity: { name: "key:X", names: ["key:X"], proof: "ssh key" },
  by,
  until: Infinity,
  forwarding: true,
  pty: true,
  principals: [],
});

/** Lets in who has one of these keys, or the token `right`. */
export class TestJudge implements Judge {
  banner: string | undefined;
  takesTokens = true;
  refusal: string | undefined;
  failures = 0;
  /** What becomes of keys that it does not have. */
  unknown = new Refusal("nobody believes the key");
  welcomed: Proof[] = [];
  reasons: GateError[] = [];
  checks: SignatureCheck[] = [];
  /** What main says; by default the truth. */
  isSigned = (check: SignatureCheck): Promise<boolean> => {
    this.checks.push(check);
    return Promise.try(() => isSignedBy(check.key, check.hash, check.signature, check.data));
  };
  verify = (token: string): Promise<Omit<Proof, "user"> | Refusal> =>
    Promise.resolve(
      token === "right"
        ? { grant: grantOf("a token"), again: () => grantOf("a token") }
        : new Refusal("its token is wrong"),
    );

  constructor(readonly keys: readonly Pick<HostKey, "blob">[]) {}

  begin(): void {}

  admit(_user: string, { blob, algorithm }: ShownKey, verify?: typeof isSignedBy): Admitted | Refusal {
    const known = this.keys.some((key) => key.blob.toHex() === blob.toHex());
    const key = readPublicKey(blob);
    if (key instanceof Refusal) return key;
    if (!known) return this.unknown;
    return { key, demands: { algorithm, ...verify && { verify } }, grant: grantOf("a line") };
  }

  refuses(): Refusal | undefined {
    return this.refusal === undefined ? undefined : new Refusal(this.refusal);
  }

  welcome(proof: Proof): void {
    this.welcomed.push(proof);
  }

  failed(): void {
    this.failures++;
  }

  gone(reason: GateError): void {
    this.reasons.push(reason);
  }
}

/** Up to the service, and what the client was answered since. */
export class LoginBridge extends Bridge {
  readonly above: Observer;

  private constructor(readonly judge: TestJudge, readonly authentication: Authentication) {
    super();
    authentication.transport = this.server.transport;
    this.server.transport.above = authentication;
    this.above = this.client.above;
  }

  static async make(judge: TestJudge, piece?: number): Promise<LoginBridge> {
    const bridge = new LoginBridge(judge, new Authentication(judge));
    await bridge.secure(piece);
    return bridge;
  }

  get session(): Uint8Array {
    return this.above.facts!.session;
  }

  /** What it is answered with, as numbers of messages. */
  async ask(...payloads: readonly Uint8Array[]): Promise<number[]> {
    const before = this.above.messages.length;
    for (const payload of payloads) this.client.transport.send(payload);
    await this.cross();
    return this.above.messages.slice(before).map(([number]) => number);
  }
}

const CONNECTION = "ssh-connection";

export const request = (
  method: string,
  rest: Uint8Array = new Uint8Array(0),
  service = CONNECTION,
): Uint8Array => encoded((to) => to.byte(USERAUTH_REQUEST).text("pi").text(service).text(method).raw(rest));

export const byPassword = (password: string): Uint8Array =>
  request("password", encoded((to) => to.boolean(false).text(password)));

/** A question for a key, or with `sign` a login. */
export function byKey(
  { algorithm, blob }: Pick<HostKey, "algorithm" | "blob">,
  session?: Uint8Array,
  sign?: (data: Uint8Array) => Uint8Array,
): Uint8Array {
  const asked = { user: "pi", service: CONNECTION, method: "publickey" };
  const signature = session && sign?.(signedData(session, asked, { algorithm, blob }));
  return request(
    "publickey",
    encoded((to) => {
      to.boolean(signature !== undefined).text(algorithm).string(blob);
      if (signature) to.string(signature);
    }),
  );
}
