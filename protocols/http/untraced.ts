/** Requests that would be answered with themselves (RFC 9110 9.3.8), as the backend got them. */
import { GateError, telling } from "../../gate/errors.ts";
import type { Admit } from "./rules.ts";

/** What a route sets for its backend, a secret perhaps, is not for the client to read. */
export const untraced: Admit = ({ head }) => {
  if (head.method !== "TRACE") return;
  const state = "TRACE would show what is set for the backend";
  throw telling(state, new GateError("denied", "client", `Cannot pass a request on: ${state}`));
};
