/** The servers behind the gate whose TLS is soaked, as a process: prints where they are, and ends with its input. */
import { listen, listenEcho, type ServedAs } from "../../support/net.ts";
import { pattern } from "../../support/pattern.ts";
import { forgetClosed, makeFolder } from "../certificates.ts";
import { BARE, SITE, type TlsServers } from "./world.ts";

const { folder, served, rogue } = await makeFolder([SITE, BARE]);

/** Each request over a connection of its own, so that each is a handshake. */
function secure({ chain, key }: ServedAs): number {
  const at = { hostname: "127.0.0.1", port: 0, cert: chain, key, onListen() {} };
  return Deno.serve(at, () => new Response("secure", { headers: { connection: "close" } })).addr.port;
}

const echo = await listenEcho();
const garbage = await listen((socket) => socket.once("data", () => socket.end(pattern(300))));
const resetting = await listen((socket) => socket.once("data", () => socket.resetAndDestroy()));
forgetClosed([echo, garbage, resetting]);

const servers: TlsServers = {
  echo: echo.port,
  secure: secure(served),
  rogue: secure(rogue),
  garbage: garbage.port,
  resetting: resetting.port,
  folder,
};
console.log(JSON.stringify(servers));
for await (const _ of Deno.stdin.readable);
await Deno.remove(folder, { recursive: true });
Deno.exit(0);
