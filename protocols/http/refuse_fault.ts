import type { Conn } from "../../gate/contracts.ts";
import { refuse } from "../common/refuse.ts";
import { plainAnswer } from "./answer.ts";
import type { Fault } from "./faults.ts";
import { failureOf } from "./status.ts";

/** Answers a request whose head cannot be read with the fault's own status, and fails. */
export async function refuseFault(conn: Conn, fault: Fault): Promise<never> {
  const reason = failureOf(fault, "client", "the request head");
  return await refuse(conn, reason, () => plainAnswer(fault.fault, reason.failure, reason));
}
