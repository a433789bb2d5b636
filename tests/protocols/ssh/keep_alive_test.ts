/** A peer that is silent is asked; one that does not answer is gone. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import type { GateError } from "../../../gate/errors.ts";
import { Connection } from "../../../protocols/ssh/channels/connection.ts";
import { KeepAlive } from "../../../protocols/ssh/keep_alive.ts";
import { equal } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { Bridge } from "../../support/ssh_transport.ts";

openssl(); // this thread keeps it

Deno.test("who answers stays, however little it has to say; who does not is gone, in both roles", () =>
  onLoop(async () => {
    for (const role of ["server", "client"] as const) {
      using bridge = new Bridge();
      await bridge.secure();
      const asked: string[] = [], broken: GateError[] = [];
      const peer = bridge[role === "server" ? "client" : "server"].transport;
      const limits = { most: 1, roundTrip: 1 };
      const ours = new Connection(bridge[role].transport, {
        opens: (opening) => opening.refuse(1, "not here"),
        request: (_name, _from, answer) => answer?.no(),
        broke: (reason) => broken.push(reason),
      }, limits);
      new Connection(peer, {
        opens: (opening) => opening.refuse(1, "not here"),
        request: (name, _from, answer) => {
          asked.push(name);
          answer?.no();
        },
        broke: () => {},
      }, limits);
      using _keepAlive = new KeepAlive(ours, { asked: 40, gone: 400 });
      while (asked.length < 3) { // each was answered before the next
        await pause(10);
        await bridge.cross();
      }
      equal([new Set(asked), broken], [new Set(["keepalive@openssh.com"]), []]);
      while (broken.length === 0) await pause(10); // nothing crosses any more
      equal(broken.map(({ failure, limit }) => [failure, limit]), [["timeout", "idleTimeout"]]);
    }
  }));
