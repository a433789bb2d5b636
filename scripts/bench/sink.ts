/**
 * The upstream of every measurement: threads that accept from one socket and do what the prologue asks. As a process it
 * gets the size of the prologue as its argument, prints its port, and lives until its standard input ends.
 */
import { MSG_NOSIGNAL } from "../../gate/engine/layout.ts";
import { libc } from "../../gate/engine/sys.ts";
import { ANSWER, CHUNK, hear, impatient, isThread, listen, MODES, say } from "./wire.ts";

/** As many as there are connections at work at one time, and some. */
const THREADS = 20;

const bytes = new Uint8Array(CHUNK);
const answer = new Uint8Array(ANSWER).fill(0x61);

function serve(fd: number, prologue: number): void {
  if (!hear(fd, bytes, prologue)) return void libc.close(fd);
  const mode = bytes[prologue - 1];
  if (mode === MODES.answer || mode === MODES.stay) say(fd, answer);
  if (mode === MODES.stay) return;
  if (mode === MODES.echo) { while (hear(fd, bytes, ANSWER) && say(fd, answer)); }
  if (mode === MODES.swallow) { while (libc.recv(fd, bytes, CHUNK, 0) > 0); }
  if (mode === MODES.pour) { while (libc.send(fd, bytes, CHUNK, MSG_NOSIGNAL) > 0); }
  libc.close(fd);
}

function acceptAll(listener: number, prologue: number): never {
  for (;;) {
    const fd = libc.accept4(listener, null, null, 0);
    if (fd < 0) continue;
    impatient(fd);
    serve(fd, prologue);
  }
}

async function main(prologue: number): Promise<void> {
  const { fd, port } = listen();
  for (let i = 0; i < THREADS; i++) {
    new Worker(import.meta.url, { type: "module" }).postMessage({ listener: fd, prologue });
  }
  console.log(port);
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}

if (isThread) {
  self.onmessage = (event: MessageEvent<{ listener: number; prologue: number }>) =>
    acceptAll(event.data.listener, event.data.prologue);
} else if (import.meta.main) await main(Number(Deno.args[0]));
