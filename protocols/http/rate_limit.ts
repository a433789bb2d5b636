/** `rateLimit`: how often a source may come by a route. */
import { atLimit } from "../../gate/errors.ts";
import { clientAddress } from "./client_address.ts";
import { RequestRefused } from "./own_answer.ts";
import type { Admit } from "./rules.ts";

/** Refuses who comes too often with 429, and says when to come again (RFC 9110 10.2.3: whole seconds). */
export const limitRate: Admit = (request) => {
  const source = clientAddress(request);
  if (source === "unix") return; // nobody is behind it that could be told apart
  const wait = request.gate.rate(request.exchange.routed!, source);
  if (wait === 0) return;
  const seconds = Math.ceil(wait / 1000), fields = [`Retry-After: ${seconds}`];
  const state = `${source} comes more often than its route allows`;
  const refused = new RequestRefused(429, fields, "exhausted", "client", `Cannot serve a request: ${state}`);
  refused.sentence = `There were too many requests: come again in ${seconds} s.`;
  throw atLimit("rateLimit", refused);
};
