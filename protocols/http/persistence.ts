/** Whether a connection serves another exchange (RFC 9112 9.3). */
import { type Body, type MessageHead, OPTION } from "./message_head.ts";

/** Whether the sender of this head keeps the connection: HTTP/1.1 unless it says close, HTTP/1.0 if it says so. */
export function persists({ minor, options }: MessageHead): boolean {
  if ((options & OPTION.close) !== 0) return false;
  return minor === 1 || (options & OPTION.keepAlive) !== 0;
}

/**
 * Whether an upstream may serve another request once this response has been read to its end and nothing came behind
 * it. One that says 204 and announces content all the same may send it, and would have it read as the next response.
 */
export function upstreamPersists(response: MessageHead): boolean {
  const { body, status, length, chunked } = response;
  if (body === "close" || body === "tunnel") return false;
  if (status === 204 && (chunked || length > 0)) return false;
  return persists(response);
}

/**
 * How a response's content is sent to a client of this minor version: as it came, but HTTP/1.0 knows no chunks, so
 * that the end of the connection ends it.
 */
export function deliveredBody(response: MessageHead, clientMinor: number): Body {
  return response.body === "chunked" && clientMinor === 0 ? "close" : response.body;
}

/** What a client of this minor version is told of its connection, as OPTION bits: nothing where it knows it anyway. */
export function connectionOption(stays: boolean, clientMinor: number): number {
  if (!stays) return OPTION.close;
  return clientMinor === 0 ? OPTION.keepAlive : 0;
}
