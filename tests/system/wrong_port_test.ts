/** TLS where none is listed, and requests in clear where TLS is: both are told apart from garbage. */
import { equal, ok } from "../support/assert.ts";
import { clientHello } from "../support/client_hello.ts";
import { startGate } from "../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../support/http_peers.ts";
import { connect } from "../support/net.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

Deno.test("TLS to a listener without it, and a request in clear to one that has only TLS, say what they are", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners:
  web: { address: "127.0.0.1:0", protocols: [http] }
  secure: { address: "127.0.0.1:0", protocols: [tls] }
  both: { address: "127.0.0.1:0", protocols: [tls], fallback: "127.0.0.1:${upstream.port}" }
routes: [{ host: a.example, to: "127.0.0.1:${upstream.port}" }, { listener: web, to: "http://127.0.0.1:${upstream.port}" }]
admin: { address: off }
`);
  await using hello = await connect(gate.port("web"));
  await hello.write(clientHello({ serverName: "a.example" }));
  equal((await hello.readAll()).length, 0);
  hello.end();
  const { cause } = await gate.record(({ listener }) => listener === "web");
  equal(
    cause,
    "Cannot tell the protocol: it begins as tls, which is not among the protocols of this listener",
  );

  await using clear = await connect(gate.port("secure"));
  await clear.write(GET);
  const { status, head, content } = await readResponse(clear);
  equal([status, content], [400, "malformed: This port is for TLS: try https://.\n"]);
  ok(/^connection: close/im.test(head));
  clear.end();
  const { outcome } = await gate.record(({ listener }) => listener === "secure");
  equal(outcome, "malformed");

  await using other = await connect(gate.port("both"));
  await other.write(GET);
  equal((await readResponse(other)).content, "/ ");
});
