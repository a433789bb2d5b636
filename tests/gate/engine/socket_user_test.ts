/** Whose a connection is, told by the kernel. */
import { type SocketPlace, userOfSocket } from "../../../gate/engine/socket_user.ts";
import { parseIp } from "../../../gate/ip.ts";
import { need } from "../../../scripts/clients.ts";
import { equal } from "../../support/assert.ts";

const NOBODY = 65534;
function place(address: Deno.Addr): SocketPlace {
  if (address.transport !== "tcp") throw new Error("no TCP");
  return { ip: parseIp(address.hostname)!, port: address.port };
}

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`the user who made a connection is told, on ${hostname}`, async () => {
    using listener = Deno.listen({ hostname, port: 0 });
    const [client, server] = await Promise.all([
      Deno.connect({ hostname, port: (listener.addr as Deno.NetAddr).port }),
      listener.accept(),
    ]);
    const own = place(client.localAddr), other = place(client.remoteAddr);
    equal(userOfSocket(own, other), Deno.uid()!);
    equal(userOfSocket({ ...own, port: own.port ^ 1 }, other), undefined);
    client.close(); // nobody's now, and not root's
    equal(userOfSocket(own, other), undefined);
    server.close();
  });
}

Deno.test({
  name: "another user's connection is another user's",
  ignore: Deno.uid() !== 0 || !need("curl"),
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const child = new Deno.Command("curl", {
      args: ["-s", "--max-time", "5", `telnet://127.0.0.1:${port}`],
      uid: NOBODY,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const conn = await listener.accept();
    const client = place(conn.remoteAddr), own = place(conn.localAddr);
    equal([userOfSocket(client, own), userOfSocket(own, client)], [NOBODY, 0]);
    conn.close();
    await child.stdin.close();
    await child.status;
  },
});
