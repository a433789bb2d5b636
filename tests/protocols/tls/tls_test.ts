import type { Failure } from "../../../gate/errors.ts";
import { protocols } from "../../../protocols/mod.ts";
import { conformProtocol, serve } from "../../conformance/protocol.ts";
import { equal, fails } from "../../support/assert.ts";
import { clientHello, padding } from "../../support/client_hello.ts";
import { readAll } from "../../support/memory_stream.ts";
import { firstBytes } from "../../support/real_client.ts";

const { tls } = protocols;
const NONE = new Uint8Array(0);
const hello = clientHello({ serverName: "a.example", alpn: ["h2"] });
const s_client = (...args: string[]) => ({
  program: "openssl",
  args: (port: string) => ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
});
const curl = (...args: string[]) => ({
  program: "curl",
  args: (
    port: string,
  ) => ["-sk", "--resolve", `c.example:${port}:127.0.0.1`, ...args, `https://c.example:${port}/`],
});
const python = {
  program: "python3",
  args: (port: string) => [
    "-c",
    "import socket, ssl, sys\n" +
    "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n" +
    "ssl._create_unverified_context().wrap_socket(s, server_hostname='py.example')",
    port,
  ],
};
const real = await firstBytes({
  "openssl s_client": s_client("-servername", "o.example", "-alpn", "h2,http/1.1"),
  "openssl s_client without a name": s_client("-noservername"),
  "openssl s_client of TLS 1.2": s_client("-servername", "o.example", "-tls1_2"),
  "curl": curl(),
  "curl of TLS 1.2 and HTTP/1": curl("--tls-max", "1.2", "--http1.1"),
  "python": python,
});

const alert = (description: number) => Uint8Array.of(21, 3, 3, 0, 2, 2, description);
const REFUSED: Record<Failure, Uint8Array> = {
  malformed: alert(50),
  unsupported: alert(40),
  unauthenticated: alert(49),
  denied: alert(112),
  "no-route": alert(112),
  refused: alert(80),
  unreachable: alert(80),
  timeout: alert(80),
  reset: alert(80),
  closed: alert(80),
  exhausted: alert(80),
  internal: alert(80),
};

conformProtocol("tls", tls, {
  samples: {
    ...real,
    "a hello": hello,
    "a hello in records of one byte": clientHello({ serverName: "a.example", records: [1] }),
    "a hello of 16 KiB": clientHello({ serverName: "a.example", extensions: [padding(16_000)] }),
  },
  others: protocols,
  served: { request: hello, greeted: NONE, granted: NONE, passedOn: true, refused: REFUSED },
});

/** What the gate is asked for a hello, and what becomes known of the client. */
async function askedBy(bytes: Uint8Array) {
  const { client, conn, gate, serving } = serve(tls, {});
  await client.write(bytes);
  await fails(serving, "no-route");
  return { target: gate.asked[0], serverName: conn.peer.serverName, alpn: conn.peer.alpn };
}

Deno.test("the name in the hello is asked for on port 443, and kept with the protocols as facts", async () => {
  const target = { host: "a.example", port: 443 };
  equal(await askedBy(hello), { target, serverName: "a.example", alpn: "h2" });
  const unnamed = { target: undefined, serverName: undefined, alpn: undefined };
  equal(await askedBy(clientHello()), unnamed);
  equal(await askedBy(clientHello({ serverName: "192.0.2.7" })), unnamed);
});

Deno.test("Istio's names say the port, with and without the underscore behind it", async () => {
  const host = "web.shop.svc.cluster.local";
  for (
    const [serverName, target] of [
      [`outbound_.8080_._.${host}`, { host, port: 8080 }],
      [`outbound_.8080_.v1_.${host}`, { host, port: 8080 }],
      [`outbound_.15009._.${host}`, { host, port: 15009 }],
      [`outbound_.70000_._.${host}`, { host: `outbound_.70000_._.${host}`, port: 443 }],
      [`outbound_.x_._.${host}`, { host: `outbound_.x_._.${host}`, port: 443 }],
      [`outbound.80._.${host}`, { host: `outbound.80._.${host}`, port: 443 }],
    ] as const
  ) {
    equal((await askedBy(clientHello({ serverName }))).target, target);
  }
});

Deno.test("what real clients ask for is found in their hellos", async () => {
  for (const [name, bytes] of Object.entries(real)) {
    const expected = name.includes("without") ? undefined : `${name[0] === "p" ? "py" : name[0]}.example`;
    equal((await askedBy(bytes)).serverName, expected, name);
  }
});

Deno.test("a broken hello gets decode_error, and the gate is not asked", async () => {
  const { client, conn, gate, serving } = serve(tls, {});
  await client.write(hello.with(9, 2));
  await fails(serving, "malformed");
  conn.stream[Symbol.dispose]();
  equal([...await readAll(client)], [...alert(50)]);
  equal(gate.asked, []);
});
