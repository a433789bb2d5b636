/** What a health check asks of a backend. */
import type { Stream } from "../../gate/streams.ts";
import { awaitResponse } from "./discard.ts";
import { octets } from "./octets.ts";

/**
 * GETs `path` (with its query) of `host`: the status of the final response, whose content is left unread. Rejects with
 * GateError.
 */
export async function askHealth(stream: Stream, host: string, path: string): Promise<number> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ugate\r\nConnection: close\r\n\r\n`;
  await stream.write(octets(head));
  return (await awaitResponse(stream, 0)).status;
}
