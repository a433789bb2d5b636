/// <reference lib="deno.worker" />
/** An engine thread that starts, and ends by itself when it was asked to serve for a moment. */
import type { Report } from "../../gate/orders.ts";

const post = (report: Report): void => self.postMessage(report);

self.onmessage = () => {
  post({ op: "ready", wake: -1 });
  setTimeout(() => post({ op: "stopped" }), 20);
};
