/** SSH that ends at this gate: its transport, the login, and then the connection's channels. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import { atLimit, GateError } from "../../gate/errors.ts";
import { type Core, Layered } from "../../gate/engine/layered.ts";
import { after } from "../../gate/engine/loop.ts";
import { keyName } from "../../gate/identity/identity.ts";
import type { SshRules } from "../../gate/snapshot.ts";
import type { Secured } from "./above.ts";
import { Authentication, type Judge, type Proof } from "./authentication/authentication.ts";
import type { ShownKey } from "./authentication/messages.ts";
import { Anew } from "./authentication/anew.ts";
import { isWithin } from "./authentication/narrowed.ts";
import { tokenProof } from "./authentication/token.ts";
import { Connection } from "./channels/connection.ts";
import { SshError } from "./failure.ts";
import { serveChannels } from "./forwards/mod.ts";
import { KeepAlive } from "./keep_alive.ts";
import { SIGNATURE_ALGORITHMS } from "./keys/algorithms.ts";
import type { SignatureCheck } from "../../gate/engine/openssl_keys.ts";
import { Refusal } from "./keys/fields.ts";
import { admit, type Admitted, type Grant } from "./keys/login.ts";
import type { Verify } from "./keys/signature.ts";
import * as numbers from "./numbers.ts";
import type { Served } from "./served.ts";
import { SESSION, Sessions } from "./session/mod.ts";
import { Transport } from "./transport.ts";
import { type Trust, trustOf } from "./trust.ts";

/** Channels of one connection: a gate that comes in brings the streams of all its clients. */
const MOST_CHANNELS = 4096;
/** The wall clock may be set meanwhile: the end of what somebody may is looked at this often, ms. */
const LONGEST_WAIT = 60_000;

/** Serves it up to its end. Throws GateError where it cannot begin. */
export function serveSsh(conn: Conn, gate: Gate): void {
  if (gate.keyLogins.admits(conn)) new Visit(conn, gate);
}

class Visit implements Judge, Served {
  readonly transport: Transport;
  readonly takesTokens: boolean;
  secured!: Secured;
  grant!: Grant;
  user = "";
  readonly refusals = new Set<string>();
  #again: Proof["again"] | undefined;
  #anew: Anew | undefined;
  #connection: Connection | undefined;
  #keepAlive: KeepAlive | undefined;
  #cancelEnd: (() => void) | undefined;

  constructor(readonly conn: Conn, readonly gate: Gate) {
    const { handshakeTimeout: exchangeTimeout } = conn.limits, { hostKeys } = this.#trust;
    const settings = { hostKeys, signatureAlgorithms: SIGNATURE_ALGORITHMS, exchangeTimeout };
    const authentication = new Authentication(this);
    this.takesTokens = this.#rules.issuers.length > 0;
    conn.deadline(0); // the transport has one of its own
    this.transport = new Transport("server", conn.stream.joint!(), settings, authentication);
    authentication.transport = this.transport;
    conn.stream = new Layered(new Inside(this.transport), "client");
    conn.onStopping = () => this.#leave();
  }

  // The login.

  get banner(): string | undefined {
    return this.#rules.banner;
  }

  begin(facts: Secured): void {
    const ms = this.#rules.loginTimeout;
    this.secured = facts;
    this.conn.deadline(ms, () => {
      const reason = new GateError("timeout", "client", `Cannot log in: not within ${ms} ms`);
      this.transport.refused(atLimit("handshakeTimeout", reason));
    });
  }

  admit(user: string, { algorithm, blob }: ShownKey, verify?: Verify): Admitted | Refusal {
    const { address } = this.conn.peer, source = address === "unix" ? undefined : address;
    const isNamed = (id: string) => this.gate.keyLogins.isNamed(this.conn, keyName(id));
    return admit({ user, algorithm, blob, source, now: Date.now() }, { ...this.#trust, isNamed, verify });
  }

  isSigned(check: SignatureCheck): Promise<boolean> {
    return this.gate.keyLogins.isSigned(this.conn, check);
  }

  verify(token: string): Promise<Omit<Proof, "user"> | Refusal> {
    return tokenProof(token, this.conn, this.gate);
  }

  refuses({ grant, user }: Proof): Refusal | undefined {
    try {
      this.gate.keyLogins.proved(this.conn, grant.identity, user);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof GateError && thrown.failure === "denied") return new Refusal(thrown.message);
      throw thrown;
    }
  }

  welcome({ grant, user, again, anew }: Proof): void {
    const { conn, transport, secured: { roundTrip } } = this;
    this.user = user;
    this.#again = again;
    this.#anew = anew && new Anew(anew, (why) => this.transport.refused(lost(why)));
    conn.deadline(0);
    conn.recheck = () => this.#recheck();
    this.#hold(grant);
    const serving = serveChannels(this), sessions = new Sessions(this);
    const connection = this.#connection = new Connection(transport, {
      begun: (connection) => serving.begun?.(connection),
      opens: (opening) => (opening.type === SESSION ? sessions : serving).opens(opening),
      request: (name, from, answer) => serving.request(name, from, answer),
      crowded: () => serving.crowded?.(),
      emptied: () => {
        serving.emptied?.();
        if (conn.stopping) this.#leave();
      },
      broke: (reason) => {
        serving.broke(reason);
        this.gone(reason);
      },
    }, { most: MOST_CHANNELS, roundTrip });
    this.#keepAlive = new KeepAlive(connection);
    conn.onStopping = () => {
      sessions.stop();
      this.#leave();
    };
  }

  failed(): void {
    this.gate.keyLogins.failed(this.conn);
  }

  // Its end.

  /** Told by whoever is above the transport. */
  gone(reason: GateError): void {
    this.#keepAlive?.[Symbol.dispose]();
    this.#cancelEnd?.();
    this.#anew?.[Symbol.dispose]();
    this.conn.stream.abort(reason);
    this.conn.served(isGoodbye(reason) ? undefined : reason);
  }

  /** The gate stops: who has no channel goes now, so that a node is soon where it can be reached again. */
  #leave(): void {
    if (this.transport.isOver || this.#connection && this.#connection.channels > 0) return;
    const message = "Cannot go on: the gate stops";
    this.transport.refused(new SshError(numbers.BY_APPLICATION, "closed", "gate", message));
  }

  get #rules(): SshRules {
    return this.gate.keyLogins.rules;
  }

  get #trust(): Trust {
    return trustOf(this.#rules);
  }

  /** Other rules hold: what somebody has begun may not be more than he may now. */
  #recheck(): GateError | undefined {
    const grant = this.#again!();
    if (grant instanceof Refusal) return lost(grant.why);
    if (!isWithin(this.grant, grant)) return lost(`${grant.by} lets it do less now`);
    this.conn.peer = { ...this.conn.peer, identity: grant.identity };
    this.#anew?.ask();
    this.#hold(grant);
    return undefined;
  }

  #hold(grant: Grant): void {
    this.grant = grant;
    this.#cancelEnd?.();
    if (grant.until === Infinity) return;
    const left = grant.until - Date.now();
    this.#cancelEnd = after(Math.min(Math.max(left, 0), LONGEST_WAIT), () => {
      this.#anew?.askIfDue();
      if (grant.until > Date.now()) this.#hold(grant);
      else this.transport.refused(lost(`the validity of ${grant.by} has ended`));
    });
  }
}

/** What the gate has of the connection: nothing but an end. */
class Inside implements Core {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  attach(): void {}

  reserve(): undefined {}

  commit(): void {}

  delivered(): void {}

  end(): void {}

  abort(reason: GateError): void {
    if (!this.#transport.isOver) this.#transport.refused(reason);
  }
}

/** The client has said that it is done. */
const isGoodbye = (reason: GateError): boolean =>
  reason instanceof SshError && reason.failure === "closed" && reason.code === numbers.BY_APPLICATION;

const lost = (why: string): GateError => new GateError("denied", "gate", `Cannot go on: ${why}`);
