/** User authentication (RFC 4252), of the server: a state machine without I/O. Who may log in its judge says. */
import { asGateError, GateError } from "../../../gate/errors.ts";
import type { SignatureCheck } from "../../../gate/engine/openssl_keys.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import type { Above, Secured } from "../above.ts";
import { harmless, malformed, SshError } from "../failure.ts";
import { Forgery, Refusal } from "../keys/fields.ts";
import type { Admitted, Grant } from "../keys/login.ts";
import { type Verify, verifySignature, whyNotEnough } from "../keys/signature.ts";
import * as numbers from "../numbers.ts";
import type { Transport } from "../transport.ts";
import { Reader } from "../wire.ts";
import * as messages from "./messages.ts";
import { CostlySignatures, Unverified } from "./costly.ts";
import type { Request, ShownKey } from "./messages.ts";

/** By what somebody is let in; what holds by then says it again later: see `again`. */
export interface Proof {
  readonly user: string;
  readonly grant: Grant;
  /** What it would grant under the rules of that time. */
  readonly again: () => Grant | Refusal;
  /**
   * What the main thread alone can tell of it, asked now and then: why it is worth nothing any more; undefined: it is.
   * Rejects with GateError where nobody can tell now.
   */
  readonly anew?: () => Promise<Refusal | undefined>;
}

/** Who says who may log in, and hears what comes of it. */
export interface Judge {
  /** What clients are shown first. */
  readonly banner: string | undefined;
  readonly takesTokens: boolean;
  /** The first keys hold: the time for the login begins. */
  begin(facts: Secured): void;
  /** `verify`: in place of isSignedBy, for signatures of authorities. */
  admit(user: string, shown: ShownKey, verify?: Verify): Admitted | Refusal;
  /** isSignedBy, elsewhere. Rejects with GateError. */
  isSigned(check: SignatureCheck): Promise<boolean>;
  /** Who gave this token. Rejects with GateError where nobody can tell now. */
  verify(token: string): Promise<Omit<Proof, "user"> | Refusal>;
  /** The last word; undefined: he is in. */
  refuses(proof: Proof): Refusal | undefined;
  /** He is told, and the transport has to be given to what comes then. */
  welcome(proof: Proof): void;
  /** A forged signature, a wrong token, or keys that let nobody in. */
  failed(): void;
  /** It is over without a login. */
  gone(reason: GateError): void;
}

const SERVICE = "ssh-userauth", CONNECTION = "ssh-connection";
const KEYS = "publickey", PASSWORDS = "password", NONE = "none";
/** Requests of one connection; and wrong signatures and tokens among them, each of which costs us something. */
const MOST_REQUESTS = 64, MOST_WRONG = 6;
/** Requests that may wait for the answer to the one before. */
const MOST_WAITING = 8;
/** Reasons that are told in the log. */
const MOST_TOLD = 4;

/** Of an authority, and of who logs in. */
const MOST_COSTLY = 2;

/** For who is judged again: his certificate is the one that was verified when he came, which may have taken long. */
const KNOWN_RIGHT: Verify = () => true;

const reader = new Reader(), costly = new CostlySignatures();

export class Authentication implements Above {
  /** Set before anything comes. */
  transport!: Transport;
  readonly #judge: Judge;
  #session: Uint8Array = new Uint8Array(0);
  #served = false;
  #greeted = false;
  #requests = 0;
  #wrong = 0;
  #user = "";
  #refusals = new Set<string>();
  /** An answer is under way. */
  #busy = false;
  #waiting: Uint8Array[] = [];

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  secured(facts: Secured): void {
    this.#session = facts.session;
    this.#judge.begin(facts);
  }

  service(name: string): boolean {
    if (this.#served || name !== SERVICE) return false;
    return this.#served = true;
  }

  message(number: number, bytes: Uint8Array, at: number, size: number): boolean {
    if (number >= numbers.FIRST_OF_CONNECTION) { // RFC 4252 6
      throw malformed("client", "log in", `message ${number} comes before that`);
    }
    if (number !== numbers.USERAUTH_REQUEST) return false;
    if (!this.#busy) this.#take(reader.read(bytes, at + 1, at + size));
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(bytes.slice(at + 1, at + size));
    else throw new GateError("exhausted", "client", "Cannot log in: too many requests at once");
    return true;
  }

  flush(): void {}

  room(): void {}

  broke(reason: GateError): void {
    const { failure, side } = reason, wasRefused = this.#refusals.size > 0 && side === "client";
    const gaveUp = failure === "closed" || failure === "reset" || failure === "timeout";
    if (wasRefused && this.#wrong === 0) this.#judge.failed(); // however it ends: what is broken is no way around
    this.#judge.gone(wasRefused && gaveUp ? this.#refused() : reason);
  }

  /** Throws GateError. */
  #take(from: Reader): void {
    const request = messages.readRequest(from);
    this.#user = request.user;
    if (request.service !== CONNECTION) {
      const state = `it asks for the service ${JSON.stringify(harmless(request.service))}`;
      throw new SshError(
        numbers.SERVICE_NOT_AVAILABLE,
        "unsupported",
        "client",
        `Cannot serve the client: ${state}`,
      );
    }
    this.#greet();
    if (++this.#requests > MOST_REQUESTS) throw this.#refused("too many requests");
    if (request.method === KEYS) this.#byKey(request, messages.readShownKey(from));
    else if (request.method === PASSWORDS && this.#judge.takesTokens) {
      this.#byToken(request, messages.readPassword(from));
    } else this.#refuse(request.method === NONE ? undefined : `it does not log in by ${request.method}`);
  }

  #greet(): void {
    const { banner } = this.#judge;
    if (banner !== undefined && !this.#greeted) this.transport.send(messages.banner(banner));
    this.#greeted = true;
  }

  /** `tries`: what was verified elsewhere so far. */
  #byKey(request: Request, shown: ShownKey, tries = 0): void {
    try {
      this.#judgeKey(request, shown);
    } catch (thrown) {
      if (!(thrown instanceof Unverified) || tries >= MOST_COSTLY) throw thrown;
      this.#later(this.#settled(thrown), () => this.#byKey(request, shown, tries + 1));
    }
  }

  /** Main has said whether the signature is right. Rejects with GateError. */
  async #settled(unverified: Unverified): Promise<void> {
    try {
      costly.learn(unverified, await this.#judge.isSigned(unverified.check));
    } catch (thrown) {
      const reason = asGateError(thrown);
      if (reason.failure !== "malformed") throw reason;
      costly.learn(unverified, false); // no signature, or no key, at all
    }
  }

  /** Throws Unverified. */
  #judgeKey(request: Request, shown: ShownKey): void {
    const { user } = request, { signature } = shown, admitted = this.#judge.admit(user, shown, costly.verify);
    if (admitted instanceof Forgery) return this.#refuseWrong(admitted.why);
    if (admitted instanceof Refusal) return this.#refuse(admitted.why);
    if (!signature) return this.transport.send(messages.wouldDo(shown));
    const { key, demands, grant } = admitted;
    const right = verifySignature(
      key,
      signature,
      messages.signedData(this.#session, request, shown),
      demands,
    );
    if (right !== true) return this.#refuseWrong(right.why);
    const again = () => {
      const admitted = this.#judge.admit(user, shown, KNOWN_RIGHT);
      if (admitted instanceof Refusal) return admitted;
      return whyNotEnough(key, signature, admitted.demands) ?? admitted.grant;
    };
    this.#welcome({ user, grant, again });
  }

  #byToken({ user }: Request, token: string | undefined): void {
    if (token === undefined) return this.#refuse("it wants to change a password");
    this.#later(this.#judge.verify(token), (proof) => {
      if (proof instanceof Refusal) this.#refuseWrong(proof.why);
      else this.#welcome({ user, ...proof });
    });
  }

  /** What comes meanwhile waits. */
  #later<T>(answer: Promise<T>, act: (answer: T) => void): void {
    this.#busy = true;
    answer.then((answer) => this.#goOn(() => act(answer)), (thrown) => {
      this.#goOn(() => {
        throw asGateError(thrown);
      });
    });
    promiseResolved();
  }

  /** The answer is there: what waited for it follows. */
  #goOn(answer: () => void): void {
    this.#busy = false;
    if (this.transport.isOver) return;
    try {
      answer();
      while (!this.#busy && !this.transport.isOver && this.transport.above === this) {
        const next = this.#waiting.shift();
        if (!next) return;
        this.#take(reader.read(next, 0, next.length));
      }
    } catch (thrown) {
      this.transport.refused(asGateError(thrown));
    }
  }

  #welcome(proof: Proof): void {
    const refusal = this.#judge.refuses(proof);
    if (refusal) return this.#refuse(refusal.why);
    this.transport.send(messages.SUCCESS);
    this.#waiting = [];
    this.#judge.welcome(proof);
  }

  /** Throws GateError where that was too often. */
  #refuseWrong(why: string): void {
    this.#judge.failed();
    this.#refusals.add(why);
    if (++this.#wrong >= MOST_WRONG) throw this.#refused();
    this.#refuse();
  }

  /** The client is not told why. */
  #refuse(why?: string): void {
    if (why !== undefined) this.#refusals.add(why);
    this.transport.send(messages.failure(this.#judge.takesTokens ? [KEYS, PASSWORDS] : [KEYS]));
  }

  #refused(why?: string): GateError {
    const all = [...this.#refusals, ...why === undefined ? [] : [why]], told = all.slice(0, MOST_TOLD);
    const more = all.length > told.length ? `; and ${all.length - told.length} more` : "";
    const user = JSON.stringify(harmless(this.#user));
    return new GateError(
      "unauthenticated",
      "client",
      `Cannot log in as ${user}: ${told.join("; ")}${more}`,
    );
  }
}
