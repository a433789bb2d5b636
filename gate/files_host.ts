/** The thread of files as main sees it: begun when a file is first asked for, begun again when it died, and ended. */
import type { FilesSite } from "./requests.ts";
import { closeAllOf, passOn } from "./engine/owned.ts";
import { signalEvent } from "./engine/sys.ts";
import type { FilesOrder, FilesReport, FilesStart } from "./files_thread.ts";
import { inTime } from "./in_time.ts";
import type { Message } from "./log.ts";

export interface FilesHostOptions {
  /** A thread, where it is not to be the usual one. */
  readonly worker?: () => Worker;
  /** Who owns a descriptor. */
  readonly owners: SharedArrayBuffer;
  readonly log: (message: Message) => void;
}

/** Whose descriptors are the thread's: no engine has these numbers, and one that ends has not the next one's. */
const FIRST_OWNER = 0xff00, OWNERS = 128;
/** Where no route has files any more it stays for so long, and while somebody gets one, ms. */
const LINGER = 60_000;
/** It has so long to end, ms. */
const STOP_TIME = 3000;
/** So many deaths within a minute are too many: until it is over nobody is served. */
const MOST_DEATHS = 5, MINUTE = 60_000;

interface Running {
  readonly worker: Worker;
  /** Whose its descriptors are. */
  readonly number: number;
  readonly port: MessagePort;
  /** Its connections. */
  readonly open: Int32Array;
  wake: number;
  readonly over: PromiseWithResolvers<void>;
}

const startThread = () =>
  new Worker(new URL("./threads/files.ts", import.meta.url), { type: "module", name: "files" });

export class FilesHost {
  readonly #options: FilesHostOptions;
  readonly #deaths: number[] = [];
  #running: Running | undefined;
  #starts = 0;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** Of the last one that was not wanted any more. */
  #ended: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: FilesHostOptions) {
    this.#options = options;
  }

  /** Whether any route has files. */
  want(wanted: boolean): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
    if (wanted || !this.#running) return;
    this.#looking = setInterval(() => {
      if (this.#running && this.#running.open[0] > 0) return;
      this.want(true);
      this.#ended = this.#end();
    }, LINGER);
  }

  /** A descriptor of that engine is the end of a connection for files; where nobody serves it, it is closed. */
  serve(engine: number, fd: number, site: FilesSite): void {
    const { owners } = this.#options, running = this.#running ?? this.#start();
    const owner = running?.number ?? FIRST_OWNER + OWNERS;
    if (!passOn(owners, fd, engine, owner)) return;
    if (running) this.#tell(running, { op: "serve", fd, site });
    else closeAllOf(owners, owner);
  }

  /** It ends, with all connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.want(true);
    await Promise.all([this.#ended, this.#end()]);
  }

  #start(): Running | undefined {
    const now = performance.now();
    while (this.#deaths[0] < now - MINUTE) this.#deaths.shift();
    if (this.#stopped || this.#deaths.length >= MOST_DEATHS) return undefined;
    const { port1: port, port2 } = new MessageChannel();
    const worker = (this.#options.worker ?? startThread)(), open = new SharedArrayBuffer(4);
    const number = FIRST_OWNER + this.#starts++ % OWNERS;
    const running: Running = {
      ...{ worker, number, port, wake: -1 },
      open: new Int32Array(open),
      over: Promise.withResolvers(),
    };
    worker.onmessage = ({ data }: MessageEvent<FilesReport>) => this.#hear(running, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#died(running, event.message);
    };
    const start: FilesStart = { port: port2, owners: this.#options.owners, number, open };
    worker.postMessage(start, [port2]);
    return this.#running = running;
  }

  #tell({ port, wake }: Running, order: FilesOrder): void {
    port.postMessage(order);
    if (wake >= 0) signalEvent(wake);
  }

  #hear(running: Running, report: FilesReport): void {
    if (report.op === "ready") {
      running.wake = report.wake;
      signalEvent(report.wake); // orders that came before
    } else if (report.op === "stopped") running.over.resolve();
    else this.#say(`fault (files): ${report.text}`);
  }

  #died(running: Running, why: string): void {
    running.over.resolve();
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#deaths.push(performance.now());
    const closed = this.#close(running);
    const then = this.#deaths.length < MOST_DEATHS ? "for the next file" : "a minute after the first death";
    this.#say(
      `Cannot serve files: their thread died: ${why}; ${closed} descriptors it left are closed, it is started again ${then}`,
    );
  }

  async #end(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined; // who asks for a file from now on begins another one
    this.#tell(running, { op: "stop" });
    await inTime(running.over.promise, STOP_TIME);
    this.#close(running);
  }

  /** How many descriptors it left. */
  #close({ worker, port, number }: Running): number {
    worker.terminate();
    port.close();
    return closeAllOf(this.#options.owners, number);
  }

  #say(text: string): void {
    this.#options.log({ level: "error", event: "fault", text });
  }
}
