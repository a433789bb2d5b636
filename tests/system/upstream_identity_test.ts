/** `hosts` with `layers: [tls, connect]`: who answers there has to be the one that is named, by key or by SPIFFE ID. */
import tls from "node:tls";
import type { AddressInfo } from "node:net";
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { readPrivateKey } from "../../gate/identity/key_file.ts";
import { nodeIdOf } from "../../gate/identity/node_id.ts";
import { nodeKeyOf } from "../../gate/identity/public_key.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority, type Issued } from "../support/certificates.ts";
import { run } from "../support/child.ts";
import { startGate, type TestGate } from "../support/gate.ts";

openssl(); // stays loaded
const ignore = !need("openssl", "curl");
const SPIFFE = "spiffe://mesh.example/ns/default/sa/far";
const authority = await Authority.make("mesh"), strangers = await Authority.make("strangers");

/** A proxy in TLS that answers every CONNECT itself, and then whoever asks. */
async function proxy({ chain, key }: Issued) {
  const sockets = new Set<tls.TLSSocket>(), asked: (string | false)[] = [];
  const server = tls.createServer({ cert: chain, key }, (socket) => {
    sockets.add(socket);
    asked.push((socket as tls.TLSSocket & { readonly servername: string | false }).servername);
    socket.on("error", () => {}).once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    });
  });
  server.on("tlsClientError", (_fault, socket) => socket.destroy());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

const gateTo = (port: number, identity: string, roots?: string): Promise<TestGate> =>
  startGate(`
node: { name: near${roots === undefined ? "" : `, roots: "${roots}"`} }
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
hosts:
  far.example: { addresses: [127.0.0.1] }
  "*.behind": { via: "far.example:${port}", layers: [tls, connect], identity: "${identity}" }
admin: { address: "off" }`);

/** What curl gets from behind it, or why the gate did not believe who answered. */
async function fetched(gate: TestGate): Promise<string> {
  const at = `socks5h://127.0.0.1:${gate.port("local")}`;
  const { stdout } = await run("curl", ["-sS", "--max-time", "20", "-x", at, "http://it.behind/"]);
  const { outcome, cause = "" } = await gate.record();
  return outcome === "ok" ? stdout : `${outcome}: ${cause}`;
}

const idOf = async ({ key }: Issued): Promise<string> =>
  `key:${nodeIdOf(nodeKeyOf(await readPrivateKey(key)).octets)}`;

const issue = (by: Authority, ...uris: string[]): Promise<Issued> =>
  by.issue(["elsewhere.example"], undefined, uris);

Deno.test({
  name: "a SPIFFE ID is believed that node.roots vouch for, whatever name stands beside it, and no other one",
  ignore,
  async fn() {
    const roots = authority.root.chainFile;
    await using far = await proxy(await issue(authority, SPIFFE));
    {
      await using gate = await gateTo(far.port, SPIFFE, roots);
      equal([await fetched(gate), await fetched(gate)], ["hello", "hello"]);
      equal(far.asked, ["far.example", "far.example"]);
    }
    {
      await using gate = await gateTo(far.port, `${SPIFFE}-other`, roots);
      const told = await fetched(gate);
      ok(told.startsWith("refused: ") && told.includes(`and shows ${SPIFFE}`), told);
    }
    for (const other of [strangers.root.chainFile, undefined]) { // who vouches is unknown; nobody but the system does
      await using gate = await gateTo(far.port, SPIFFE, other);
      const told = await fetched(gate);
      ok(/^refused: .*unable to get local issuer certificate/.test(told), told);
    }
  },
});

Deno.test({
  name: "a certificate of node.roots with no SPIFFE ID, or with two URIs, proves none",
  ignore,
  async fn() {
    for (const uris of [[], [SPIFFE, "spiffe://mesh.example/other"]]) {
      await using far = await proxy(await issue(authority, ...uris));
      await using gate = await gateTo(far.port, SPIFFE, authority.root.chainFile);
      const told = await fetched(gate);
      ok(/^refused: .*it has to be spiffe:.*shows no such name/.test(told), told);
    }
  },
});

Deno.test({
  name: "a key is believed by its ID, whoever vouches for it, and another key is not",
  ignore,
  async fn() {
    const own = await issue(strangers, SPIFFE), other = await issue(strangers);
    await using far = await proxy(own);
    {
      await using gate = await gateTo(far.port, await idOf(own));
      equal(await fetched(gate), "hello");
    }
    await using gate = await gateTo(far.port, await idOf(other));
    const told = await fetched(gate);
    ok(told.startsWith("refused: ") && told.includes(`and shows ${await idOf(own)}`), told);
  },
});
