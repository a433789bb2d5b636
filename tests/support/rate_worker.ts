/// <reference lib="deno.worker" />
/** A thread that counts requests in a table of rates as fast as it can, and tells how many were let in. */
import { RateLimits } from "../../gate/rate_limits.ts";

/** Each source asks so often, one after the other. */
export interface Hammering {
  readonly shared: SharedArrayBuffer;
  readonly sources: number;
  readonly requests: number;
  /** So many of each source are let in at once. */
  readonly most: number;
}

self.onmessage = ({ data: { shared, sources, requests, most } }: MessageEvent<Hammering>) => {
  const rates = new RateLimits(shared, 7);
  let admitted = 0;
  for (let i = 0; i < sources * requests; i++) {
    if (rates.take(`10.0.0.${i % sources}`, 1, { requests: most, per: 1e9 }) === 0) admitted++;
  }
  self.postMessage(admitted);
};
