/** A response that is the same for everybody. */
import type { FixedAnswer } from "../../gate/filters.ts";
import { linesOf } from "./field_changes.ts";
import type { OwnAnswer } from "./own_answer.ts";

const PLAIN_TEXT = "text/plain; charset=utf-8";

export function fixedAnswer({ status, headers, body }: FixedAnswer): OwnAnswer {
  const typed = body === "" || Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  const fields = Object.entries(typed ? headers : { "Content-Type": PLAIN_TEXT, ...headers });
  return { status, fields: linesOf(fields), body: new TextEncoder().encode(body) };
}
