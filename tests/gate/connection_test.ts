/** A connection's end, wherever it comes. */
import { hashPassword } from "../../gate/passwords.ts";
import { equal } from "../support/assert.ts";
import { startGate } from "../support/gate.ts";
import { connect, listenEcho } from "../support/net.ts";

Deno.test("an abort while a password is verified still holds behind it: nothing is dialed for who is gone", async () => {
  await using echo = await listenEcho();
  // scrypt takes far longer than the handshake may, and a verification is nothing that an abort could cancel.
  await using gate = await startGate(`
listeners: { proxy: { address: "127.0.0.1:0", protocols: [connect], users: { ann: "${await hashPassword(
    "secret",
  )}" } } }
limits: { handshakeTimeout: 10ms }
admin: { address: "off" }`);
  await using client = await connect(gate.port("proxy"));
  const target = `127.0.0.1:${echo.port}`;
  const credentials = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
  await client.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${credentials}\r\n\r\n`);
  equal(await client.readAll().then(() => "end", (error) => error.code), "ECONNRESET");
  const { user, endpoint } = await gate.record(); // comes behind all that was done for it
  equal([user, endpoint, echo.sockets.length], ["ann", undefined, 0]);
});
