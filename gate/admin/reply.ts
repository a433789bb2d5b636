/** Answers to HTTP requests, and how one looks on the wire. */
import type { HttpRefusal } from "./head.ts";

export interface Reply {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * What every answer says: nobody keeps it, guesses its type, frames it, or reads it from another origin; and where it
 * is a page, that loads only what comes from here and runs no text as code.
 */
const ALWAYS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
    "trusted-types 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export const reply = (status: number, type: string, body: Reply["body"], headers = {}): Reply => ({
  status,
  body,
  headers: { ...ALWAYS, "content-type": type, ...headers },
});

/** A sentence for people. */
export const say = (status: number, sentence: string, headers: Reply["headers"] = {}): Reply =>
  reply(status, "text/plain; charset=utf-8", `${sentence}\n`, headers);

export const json = (status: number, value: unknown, indent?: number): Reply =>
  reply(status, "application/json", `${JSON.stringify(value, undefined, indent)}\n`);

export const refusal = ({ status, message, headers }: HttpRefusal): Reply => say(status, message, headers);

const encoder = new TextEncoder();

/** Its bytes as HTTP/1.1. `stays`: another request may come behind it. */
export function encodeReply(
  { status, body, headers }: Reply,
  { headOnly, stays }: { readonly headOnly: boolean; readonly stays: boolean },
): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const fields = {
    date: new Date().toUTCString(),
    ...headers,
    "content-length": String(bytes.length),
    ...!stays && { connection: "close" },
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = encoder.encode(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${lines}\r\n`);
  if (headOnly) return head;
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};
