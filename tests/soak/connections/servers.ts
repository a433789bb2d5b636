/** The servers behind the soak's gate, as a process of their own: prints their ports, and ends with its input. */
import type { TestServer } from "../../support/net.ts";
import { listen } from "../../support/net.ts";
import { listenTagged } from "../../support/mixed_load.ts";
import { TAGS } from "../../support/mixed_world.ts";
import { PECULIAR, POURED, type ServerName } from "./world.ts";

/** ms between looks at who has gone: the servers remember every connection, and here there are a million. */
const FORGET = 500;

const listening: Record<typeof PECULIAR[number], () => Promise<TestServer>> = {
  pouring: () => {
    const bytes = new Uint8Array(POURED);
    return listen((socket) => void socket.resume().end(bytes));
  },
  resetting: () => listen((socket) => void socket.once("data", () => socket.resetAndDestroy())),
  leaving: () => listen((socket) => void socket.resume().end("goodbye")),
};

function forgetClosed({ sockets }: TestServer): void {
  let kept = 0;
  for (const socket of sockets) if (!socket.closed) sockets[kept++] = socket;
  sockets.length = kept;
}

const servers = new Map<ServerName, TestServer>();
for (const name of TAGS) servers.set(name, await listenTagged(name));
for (const name of PECULIAR) servers.set(name, await listening[name]());
setInterval(() => servers.forEach(forgetClosed), FORGET);
console.log(JSON.stringify(Object.fromEntries([...servers].map(([name, { port }]) => [name, port]))));
for await (const _ of Deno.stdin.readable);
Deno.exit(0);
