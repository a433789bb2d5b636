/** SOCKS, both sides: RFC 1928 CONNECT with RFC 1929 passwords, and SOCKS4 and 4A served. */
import type { Protocol } from "../../gate/contracts.ts";
import type { Verdict } from "../../gate/streams.ts";
import { serve } from "./serve.ts";
import { wrap } from "./wrap.ts";

/** Two bytes decide: version 5 with at least one method, version 4 with one of its two commands. */
function sniffSocks(head: Uint8Array): Verdict {
  if (head.length === 0) return 2;
  if (head[0] !== 4 && head[0] !== 5) return false;
  if (head.length < 2) return 2;
  return head[0] === 5 ? head[1] > 0 : head[1] === 1 || head[1] === 2;
}

export const socks: Protocol = { naming: "target", authenticates: true, sniff: sniffSocks, serve, wrap };
