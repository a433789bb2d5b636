/** What an authority reads that certifies a name where it finds this (RFC 8555 8.3). */
import type { OwnAnswer } from "./own_answer.ts";

const encoder = new TextEncoder();

export function challengeAnswer(text: string): OwnAnswer {
  return { status: 200, fields: ["Content-Type: application/octet-stream"], body: encoder.encode(text) };
}
