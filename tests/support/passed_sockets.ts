/** Run as a program: prints which sockets were passed to it, and what a child of it sees of them. */
import { InheritedSockets } from "../../gate/engine/inherited.ts";
import { localAddress } from "../../gate/engine/sockaddr.ts";
import { Systemd } from "../../gate/systemd.ts";

const { passed } = Systemd.fromEnvironment(Deno.env);
const bound = passed.map(({ fd, name }) => ({ name, port: localAddress(fd)?.port ?? 0 }));
using sockets = new InheritedSockets(passed);
const taken = bound.map(({ name, port }) =>
  sockets.take({ listener: name, address: { host: port ? "127.0.0.1" : `unix:${Deno.args[0]}`, port } })
);
const child = await new Deno.Command("sh", { args: ["-c", "echo $LISTEN_FDS; ls /proc/self/fd"] }).output();
console.log(JSON.stringify({
  passed,
  taken: taken.map((socket) => socket?.address),
  child: new TextDecoder().decode(child.stdout).split("\n"),
}));
