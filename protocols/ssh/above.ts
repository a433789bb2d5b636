/** What lies above a transport: user authentication, then the connection protocol. */
import type { GateError } from "../../gate/errors.ts";
import type { Negotiated } from "./negotiation.ts";

/** What the first key exchange made known. */
export interface Secured {
  /** What signatures of users are bound to (RFC 4252 7). */
  readonly session: Uint8Array;
  /** From our share to the peer's answer, ms: what lies between both, and a millisecond or two of computing. */
  readonly roundTrip: number;
  readonly agreed: Negotiated;
  /** The peer's version line, for the log. */
  readonly version: string;
}

/** Called in the transport's turn; whatever of the transport's verbs may be used from inside. */
export interface Above {
  /** The first key exchange is over. */
  secured?(facts: Secured): void;
  /** As server: whether the client may have this service; absent, none. As client: it was granted. */
  service?(name: string): boolean;
  /**
   * A message from number 50 on, its number at `at`: the bytes may be written over, and are valid until flush(). false:
   * its number is not known, and the peer is told so.
   */
  message(number: number, bytes: Uint8Array, at: number, size: number): boolean;
  /** The last of what came together. */
  flush(): void;
  /** reserve may have room again: told whether or not it was asked meanwhile, for it may not have been for another reason. */
  room(): void;
  /** It is over: the peer disconnected, reset, or broke the protocol. */
  broke(reason: GateError): void;
}
