import type { Conn } from "../../gate/contracts.ts";
import { atLimit, GateError } from "../../gate/errors.ts";
import { refuse } from "../common/refuse.ts";
import { plainAnswer } from "./answer.ts";
import type { Fault } from "./head.ts";

/** Answers a request whose head cannot be read with the fault's own status, and fails. */
export async function refuseFault(conn: Conn, { fault, state }: Fault): Promise<never> {
  const failure = fault === 505 ? "unsupported" : "malformed";
  const reason = new GateError(failure, "client", `Cannot read the request head: ${state}`);
  if (fault === 431) atLimit("headSize", reason);
  return await refuse(
    conn,
    reason,
    () => plainAnswer(fault, failure, { told: fault === 431 ? undefined : state }),
  );
}
