/** SSH: passed on where a route takes it, and else ended here; and its client as a layer. */
import type { Conn, Gate, Protocol } from "../../gate/contracts.ts";
import type { LoginReader } from "../../gate/identity/logins.ts";
import { passOn } from "../common/pass_on.ts";
import { SshClient } from "./client/wrap.ts";
import { prepareHybrid } from "./kex/exchanges.ts";
import { readAuthorities } from "./keys/authorities.ts";
import { readAuthorizedKeys } from "./keys/authorized_keys.ts";
import { readRevoked } from "./keys/revoked.ts";
import { serveSsh } from "./server.ts";
import { sniffSsh } from "./sniff.ts";

/** Of this thread. */
const client = new SshClient();

const logins: LoginReader = { keys: readAuthorizedKeys, authorities: readAuthorities, revoked: readRevoked };

function serve(conn: Conn, gate: Gate): Promise<void> | void {
  if (gate.passes(conn)) return passOn(conn, gate);
  serveSsh(conn, gate);
}

export const ssh: Protocol = {
  naming: "nothing",
  unrouted: "target",
  speaksFirst: true,
  logins,
  prepare: prepareHybrid,
  sniff: sniffSsh,
  serve,
  wrap: (...given) => client.wrap(...given),
  close: () => client.close(),
};
