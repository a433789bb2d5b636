/** Logins with keys, certificates and tokens, as protocols see them on an engine: what holds, and what came of one. */
import { askingOf } from "./asking.ts";
import type { Connection } from "./connection.ts";
import type { Conn, Logins } from "./contracts.ts";
import type { Decider } from "./decide.ts";
import type { SignatureCheck } from "./engine/openssl_keys.ts";
import { GateError, type LimitName } from "./errors.ts";
import { type Identity, supposedIdentity } from "./identity/identity.ts";
import { lostIdentity } from "./right.ts";
import type { Questions } from "./questions.ts";
import type { SshRules } from "./snapshot.ts";
import type { Throttle, Throttled } from "./throttle.ts";

export interface KeyLoginsParts {
  /** What holds now. */
  readonly ruling: () => { readonly decider: Decider; readonly snapshot: { readonly ssh?: SshRules } };
  readonly questions: Pick<Questions, "signed">;
  readonly throttle: Throttle;
  /** Is told of each that failed. */
  readonly failed: (conn: Conn) => void;
  /** Is told of a source that has to wait from now on. */
  readonly throttled: (source: Throttled) => void;
  readonly hit: (limit: LimitName) => void;
}

export class KeyLogins implements Logins {
  readonly #parts: KeyLoginsParts;

  constructor(parts: KeyLoginsParts) {
    this.#parts = parts;
  }

  get rules(): SshRules {
    const { ssh } = this.#parts.ruling().snapshot;
    if (ssh) return ssh;
    throw new GateError("unsupported", "gate", "Cannot serve SSH: no listener speaks it");
  }

  isNamed(conn: Conn, identity: string): boolean {
    const { policy } = this.#parts.ruling().decider;
    const asking = { ...askingOf(conn, "target", false), identity: supposedIdentity([identity]) };
    return policy.namesIdentity(identity, asking);
  }

  proved(conn: Conn, identity: Identity, name: string): void {
    conn.peer = { ...conn.peer, identity };
    conn.record.user = name;
    const lost = lostIdentity(conn as Connection, this.#parts.ruling().decider);
    if (lost) throw lost;
  }

  isSigned({ peer }: Conn, check: SignatureCheck): Promise<boolean> {
    return this.#parts.questions.signed(check, peer.address);
  }

  failed(conn: Conn): void {
    this.#parts.failed(conn);
    const { listener, peer: { address: source }, record: { protocol } } = conn;
    const failures = this.#parts.throttle.fail(source);
    if (failures !== undefined) {
      this.#parts.throttled({ source, listener, protocol, what: "logins", failures });
    }
  }

  admits(conn: Conn): boolean {
    if (this.#parts.throttle.admits(conn.peer.address)) return true;
    this.#parts.hit("passwords");
    (conn as Connection).dismiss();
    return false;
  }
}
