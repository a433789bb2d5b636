/** What a route asks of its requests beside where they go: made ready once for each snapshot of its configuration. */
import type { Conn, Gate } from "../../gate/contracts.ts";
import type { Coding, RequestRules } from "../../gate/requests.ts";
import { type Authentication, authentication } from "./auth.ts";
import { agreement } from "./compress/accept_encoding.ts";
import type { Edits } from "./edits.ts";
import type { Exchange } from "./exchange.ts";
import { forbids, forbidsCoding } from "./compress/compressible.ts";
import { changingAnswer, changingFields, goneOf } from "./field_changes.ts";
import { admitReading } from "./file_requests.ts";
import type { MessageHead } from "./message_head.ts";
import { Mirror } from "./mirror.ts";
import type { OwnAnswer } from "./own_answer.ts";
import { limitRate } from "./rate_limit.ts";
import { redirecting } from "./redirect.ts";
import { fixedAnswer } from "./respond.ts";
import { rewriting } from "./rewrite.ts";
import { secureOnly } from "./secure_only.ts";
import { untraced } from "./untraced.ts";

/** A request whose head is there. Head and bytes are valid during the synchronous call only. */
export interface Incoming {
  readonly head: MessageHead;
  readonly bytes: Uint8Array;
  readonly exchange: Exchange;
  readonly conn: Conn;
  readonly gate: Gate;
}

/**
 * Lets a request go on, answers it, or throws or rejects with GateError (RequestRefused, where its answer says more than
 * that).
 */
export type Admit = (request: Incoming) => void | OwnAnswer | Promise<void>;

export interface Rules {
  /** One after the other, before the request goes anywhere. */
  readonly admit: readonly Admit[];
  /** In place of an upstream's answer. */
  readonly answer?: (request: Incoming) => OwnAnswer;
  /** Where copies go. */
  readonly mirror?: Mirror;
  /** On the way to the upstream and back: behind what the gate itself changes. */
  readonly editRequest: readonly ((edits: Edits, request: Incoming) => void)[];
  readonly editResponse: readonly ((edits: Edits, response: MessageHead, bytes: Uint8Array) => void)[];
  /** Names of fields that have no place in trailers either, as isFolded has them. */
  readonly goneOfRequest?: readonly Uint8Array[];
  readonly goneOfResponse?: readonly Uint8Array[];
}

/** Of a request without a route. */
export const NO_RULES: Rules = { admit: [], editRequest: [], editResponse: [] };

const made = new WeakMap<RequestRules, Rules>();

/** The rules of a route, which is the same object as long as its snapshot holds. */
export function rulesOf(http: RequestRules): Rules {
  let rules = made.get(http);
  if (!rules) made.set(http, rules = makeRules(http));
  return rules;
}

function makeRules(http: RequestRules): Rules {
  const { rewrite, requestHeaders, responseHeaders, prefix, mirror, auth } = http;
  const proven = auth && authentication(auth);
  const change = requestHeaders && changingFields(requestHeaders);
  return {
    admit: admitting(http, proven),
    answer: answering(http),
    editRequest: [
      ...proven ? [proven.edit] : [],
      ...rewrite ? [rewriting(rewrite, prefix)] : [],
      ...change ? [(edits: Edits, { head, bytes }: Incoming) => change(edits, head, bytes)] : [],
    ],
    editResponse: responseHeaders ? [changingFields(responseHeaders)] : [],
    goneOfRequest: requestHeaders && goneOf(requestHeaders),
    goneOfResponse: responseHeaders && goneOf(responseHeaders),
    mirror: mirror && new Mirror(mirror),
  };
}

function admitting(
  { rateLimit, secureOnly: secure, files, compress, requestHeaders, responseHeaders }: RequestRules,
  proven: Authentication | undefined,
): Admit[] {
  const change = changing(responseHeaders);
  const admit: Admit[] = [];
  if (rateLimit) admit.push(limitRate);
  if (secure) {
    admit.push((request) => {
      const answer = secureOnly(request); // where to go is not the route's to say
      return answer && { ...answer, fields: [...answer.fields, ...change({ ...answer, fields: [] }).fields] };
    });
  }
  if (proven) admit.push(proven.admit);
  if (requestHeaders?.set || requestHeaders?.add) admit.push(untraced);
  if (files) admit.push(admitReading);
  if (compress && !(responseHeaders && forbidsCoding(responseHeaders))) admit.push(agreeWith(compress));
  return admit;
}

function answering({ redirect, respond, responseHeaders, prefix }: RequestRules): Rules["answer"] {
  const change = changing(responseHeaders);
  if (respond) {
    const answer = change(fixedAnswer(respond));
    return () => answer;
  }
  const send = redirect && redirecting(redirect, prefix);
  return send && ((request) => change(send(request)));
}

/** What the route says in each of its own answers. */
function changing(responseHeaders: RequestRules["responseHeaders"]) {
  const change = responseHeaders && changingAnswer(responseHeaders);
  return <T extends OwnAnswer | undefined>(answer: T): T => answer && change ? change(answer) as T : answer;
}

/** Refuses nobody: what the client can decode is known while its head is there. */
function agreeWith(offered: readonly Coding[]): Admit {
  const agreed = agreement(offered);
  return ({ head, bytes, exchange }) => {
    exchange.agreed = forbids(head, bytes) ? "identity" : agreed(head, bytes);
  };
}
