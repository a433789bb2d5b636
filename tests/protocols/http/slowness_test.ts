/** Who stops in the middle of a head, of content, or of reading is cut in time and counted, in clear and over TLS. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { need } from "../../../scripts/clients.ts";
import { equal } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Child } from "../../support/child.ts";
import { startGate } from "../../support/gate.ts";
import { rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect } from "../../support/net.ts";
import { connectSecure } from "../../support/tls_clients.ts";

openssl(); // it stays loaded, as tests of leaks would tell
const authority = await Authority.make("slowness");
const site = await authority.issue(["a.example", "*.a.example"]);
const post = (path: string, framing: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n`;
/** More than any socket buffers. */
const ENDLESS = 2 ** 40;

/** What is sent before the client stops, the status that it gets, and the limit that ends it. */
const STOPPED: readonly (readonly [sent: string, status: number, limit: string])[] = [
  ["GET / HTTP/1.1\r\nHost: a.ex", 408, "headTimeout"],
  [post("/", "Content-Length: 100") + "some", 408, "bodyTimeout"],
  [post("/", "Content-Length: 1000000") + "some", 408, "bodyTimeout"],
  [post("/", "Transfer-Encoding: chunked") + "4\r\nsome\r\n5", 408, "bodyTimeout"],
  [post("/own", "Content-Length: 100") + "some", 403, "bodyTimeout"], // of content that nobody wants
];

Deno.test({
  name: "who stops in the middle is cut and counted, in clear and over TLS",
  ignore: !need("curl"),
  async fn() {
    await using upstream = await rawUpstream(async (peer) => {
      if (!(await peer.head()).startsWith("GET /endless")) return;
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${ENDLESS}\r\n\r\n`);
      const more = () => {
        while (peer.socket.write(new Uint8Array(1 << 18))) continue;
      };
      peer.socket.on("drain", more);
      more();
    });
    await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { path: /own, respond: { status: 403 } }
  - { to: "http://127.0.0.1:${upstream.port}" }
limits: { headTimeout: 300ms, bodyTimeout: 300ms }
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
`);
    const port = gate.port("edge"), hits: Record<string, number> = {};
    for (const scheme of ["http", "https"]) {
      await using started = new AsyncDisposableStack();
      const open = async (): Promise<Client> => {
        if (scheme === "http") return started.use(await connect(port));
        return started.use(await connectSecure({ port, servername: "a.example", ca: authority.root.chain }))
          .client;
      };
      for (const [sent, status, limit] of STOPPED) {
        const client = await open();
        await client.write(sent);
        equal([sent, (await readResponse(client)).status], [sent, status]);
        await client.readAll();
        hits[limit] = (hits[limit] ?? 0) + 1;
      }
      const url = `${scheme}://${scheme}.a.example:${port}/endless`;
      const curl = started.use(
        new Child("curl", ["-sv", "-k", "--connect-to", `::127.0.0.1:${port}`, "-o", "/dev/null", url]),
      );
      await curl.line(/< HTTP\/1\.1 200 OK/);
      curl.signal("SIGSTOP");
      await gate.request(({ path, host, outcome }) =>
        path === "/endless" && host!.startsWith(scheme) && outcome === "timeout"
      );
      curl.signal("SIGCONT");
      hits.bodyTimeout++;
      equal((await gate.service.status()).limitHits, hits);
    }
  },
});
