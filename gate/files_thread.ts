/// <reference lib="deno.worker" />
/**
 * The thread that serves static files: it may wait for the disk, so no engine does. Connections to it are made by
 * engines, as pairs of sockets without a name, and come by way of main (files_host.ts). The Worker's entry file calls
 * startFiles with what serves one.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import type { FilesSite } from "./requests.ts";
import { AF_UNIX, EPOLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./engine/layout.ts";
import { after, onFault, run, stop, watch } from "./engine/loop.ts";
import { ownAs, owned } from "./engine/owned.ts";
import { Socket } from "./engine/socket.ts";
import { clearEvent, libc } from "./engine/sys.ts";
import { asGateError, causeChain } from "./errors.ts";

/** What it starts with. */
export interface FilesStart {
  readonly port: MessagePort;
  /** Who owns a descriptor: engine/owned.ts. */
  readonly owners: SharedArrayBuffer;
  /** Its number there. */
  readonly number: number;
  /** Of its connections, for main to read. */
  readonly open: SharedArrayBuffer;
}

export type FilesOrder =
  | { readonly op: "serve"; readonly fd: number; readonly site: FilesSite }
  | { readonly op: "stop" };

export type FilesReport =
  /** `wake`: the eventfd that tells of orders. */
  | { readonly op: "ready"; readonly wake: number }
  | { readonly op: "fault"; readonly text: string }
  | { readonly op: "stopped" };

/** Serves one connection until its end; the socket is its own. Rejects with GateError. */
export type ServeFiles = (socket: Socket, site: FilesSite) => Promise<void>;

/** What is left of connections that were cut gets this long, ms. */
const STOP_TIME = 20;

const post = (report: FilesReport): void => self.postMessage(report);

/** Waits for the start message of main, then runs until it is told to stop. */
export function startFiles(serve: ServeFiles): void {
  self.addEventListener("message", ({ data }: MessageEvent<FilesStart>) => void runFiles(serve, data), {
    once: true,
  });
}

async function runFiles(serve: ServeFiles, { port, owners, number, open }: FilesStart): Promise<void> {
  ownAs(owners, number);
  onFault((what, thrown) => post({ op: "fault", text: `${what}: ${causeChain(thrown)}` }));
  const count = new Int32Array(open);
  const obey = (order: FilesOrder) => {
    if (order.op === "stop") return void after(STOP_TIME, stop);
    count[0]++;
    void served(serve, order.fd, order.site).finally(() => count[0]--);
  };
  const wake = owned(libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const takeOrders = () => {
    clearEvent(wake);
    for (;;) {
      const received = receiveMessageOnPort(port as unknown as Parameters<typeof receiveMessageOnPort>[0]);
      if (!received) return;
      obey(received.message as FilesOrder);
    }
  };
  watch(wake, { onEvent: takeOrders }, EPOLLIN);
  post({ op: "ready", wake });
  await run();
  post({ op: "stopped" });
}

/** Never rejects: who asked sees the end of its connection. */
async function served(serve: ServeFiles, fd: number, site: FilesSite): Promise<void> {
  try {
    await serve(new Socket(fd, "client", AF_UNIX), site);
  } catch (thrown) {
    const reason = asGateError(thrown);
    if (reason.failure === "internal") post({ op: "fault", text: causeChain(reason) });
  }
}
