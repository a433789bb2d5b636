/** Content is counted while it moves, and when it breaks off, for what of it went on. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { rawUpstream } from "../../support/http_peers.ts";
import { type Client, connect, pattern } from "../../support/net.ts";
import { connectSecure } from "../../support/tls_clients.ts";

openssl(); // it stays loaded, as tests of leaks would tell
const authority = await Authority.make("moving");
const site = await authority.issue(["a.example"]);
const ENDLESS = 1_000_000_000, CAME = 2_000_000, PIECE = 20_000;

/** When the one connection of HTTP has moved as much as `is` wants; what it has. */
async function live(gate: TestGate, is: (moved: { up: number; down: number }) => boolean) {
  for (const late = performance.now() + 5000;;) {
    const { connections } = await gate.service.connections(10);
    const found = connections.find(({ protocol }) => protocol === "http");
    if (found && is(found)) return found;
    if (performance.now() > late) throw new Error(`not within 5 s: ${JSON.stringify(found)}`);
    await new Promise((rested) => setTimeout(rested, 10));
  }
}

/** `count` chunks of PIECE octets. */
const chunks = (count: number) => `${PIECE.toString(16)}\r\n${"c".repeat(PIECE)}\r\n`.repeat(count);

async function moveSome(client: Client, framing: string, gate: TestGate): Promise<string> {
  if (framing === "upload") {
    await client.write(`POST /${framing} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${ENDLESS}\r\n\r\n`);
    await client.write(pattern(CAME));
    await live(gate, ({ up }) => up >= CAME);
  } else {
    await client.write(`GET /${framing} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    await client.read(CAME);
    await live(gate, ({ down }) => down >= CAME);
  }
  return framing;
}

Deno.test("content on its way is counted in clear and over TLS, and what broke off for what went on", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    const head = await peer.head();
    if (head.startsWith("POST")) return;
    if (head.startsWith("GET /chunks")) {
      return peer.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(CAME / PIECE + 1)}`);
    }
    const length = head.startsWith("GET /length") ? `Content-Length: ${ENDLESS}\r\n` : "";
    peer.write(`HTTP/1.1 200 OK\r\n${length}\r\n`);
    peer.socket.write(pattern(CAME));
  });
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}" }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
`);
  const port = gate.port("edge"), ca = authority.root.chain;
  for (const scheme of ["http", "https"]) {
    for (const framing of ["upload", "length", "close", "chunks"]) {
      await using secure = scheme === "https"
        ? await connectSecure({ port, servername: "a.example", ca })
        : undefined;
      await using clear = secure ? undefined : await connect(port);
      const client = secure?.client ?? clear!;
      await moveSome(client, framing, gate);
      client.reset();
      const record = await gate.record(({ protocol }) => protocol === "http");
      const line = await gate.request(({ id }) => id === record.id);
      const [up, down] = framing === "upload" ? [CAME, 0] : [0, CAME];
      equal([scheme, line.path, line.outcome], [scheme, `/${framing}`, "reset"]);
      if (framing === "chunks") ok(line.down >= CAME, `${line.down}`); // the last chunk may still be on its way
      else equal([line.up, line.down], [up, down], `${scheme} ${framing}`);
      ok(record.up - line.up < 200 && record.down - line.down < 400, JSON.stringify(record)); // the heads
    }
  }
});
