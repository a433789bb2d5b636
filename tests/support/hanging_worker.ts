/// <reference lib="deno.worker" />
/** An engine thread that starts, and obeys no order. */
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../gate/engine/layout.ts";
import { libc } from "../../gate/engine/sys.ts";
import type { Report } from "../../gate/orders.ts";

const post = (report: Report): void => self.postMessage(report);

self.onmessage = () => post({ op: "ready", wake: libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC) });
