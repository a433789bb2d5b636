/** The servers behind the gate whose SSH is soaked, as a process: prints where they are, and ends with its input. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { freePorts } from "../../../scripts/free_ports.ts";
import { listen, listenEcho } from "../../support/net.ts";
import { makeNodeKey } from "../../support/ssh_node.ts";
import { forgetClosed } from "../certificates.ts";
import { PEOPLE } from "./course.ts";
import { keysOf, type SshServers } from "./world.ts";

openssl();
const folder = await Deno.makeTempDir({ prefix: "ugate-soak-" });
const chunk = new Uint8Array(65_536);
const echo = await listenEcho(),
  fountain = await listen((socket) => {
    const pour = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", pour);
    socket.resume();
    socket.once("end", () => socket.destroy());
    pour();
  });
forgetClosed([echo, fountain]);
const ports = freePorts(PEOPLE);
const people = ports.map((port, i) => ({ key: makeNodeKey(), name: `n${i}.m`, port }));
const servers: SshServers = {
  echo: echo.port,
  fountain: fountain.port,
  folder,
  people,
  admin: makeNodeKey(),
  stranger: makeNodeKey(),
};
await Deno.writeTextFile(`${folder}/keys`, keysOf(servers, 0));
console.log(JSON.stringify(servers));
for await (const _ of Deno.stdin.readable);
await Deno.remove(folder, { recursive: true });
Deno.exit(0);
