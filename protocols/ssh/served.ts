/** Somebody who has logged in: what all that he does over one connection is judged by. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import type { Secured } from "./above.ts";
import type { Grant } from "./keys/login.ts";
import type { Transport } from "./transport.ts";

export interface Served {
  readonly conn: Conn;
  readonly gate: Gate;
  /** As of now: a reload may have changed it. */
  readonly grant: Grant;
  /** The login name: the client's own word, unless a certificate says it. */
  readonly user: string;
  readonly secured: Secured;
  readonly transport: Transport;
  /** Why forwards were refused that he asked for, a sentence each: the answer to him has no place for that. */
  readonly refusals: Set<string>;
}
