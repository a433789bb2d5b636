/** One configuration with all that a site may need behind its TLS, with curl in front, nginx and node behind. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, succeed } from "../support/child.ts";
import type { Client } from "../support/net.ts";
import { Program } from "../support/program.ts";
import { connectSecure } from "../support/tls_clients.ts";
import { startNginx, startNode } from "../support/web_servers.ts";

const authority = await Authority.make("site"), inside = await Authority.make("site inside");
const site = await authority.issue(["www.example", "example"]);
const [up, me] = [await inside.issue(["up.example"]), await inside.issue(["gate.example"])];
const ignore = !need("curl", "nginx", "node");

interface Backends {
  readonly nginx: number;
  readonly node: number;
}

/** node and nginx want a certificate of the gate, and are believed by a root of their own. */
const yamlOf = ({ nginx, node }: Backends, folder: Folder) => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { host: example, tls: terminate, redirect: { host: www.example, status: 301 } }
  - { host: www.example, tls: terminate, path: { exact: /health }, respond: { body: "well\\n" } }
  - { host: www.example, tls: terminate, path: /old, redirect: { path: /new } }
  - { host: www.example, tls: terminate, path: /static, files: "${folder.path}", compress: [gzip] }
  - host: www.example
    path: /live
    tls: terminate
    to: "https://127.0.0.1:${node}"
    rewrite: { path: / }
    upstreamTls: &inside
      { ca: "${inside.root.chainFile}", serverName: up.example, certificate: "${me.chainFile}", key: "${me.keyFile}" }
  - { host: www.example, tls: terminate, to: "https://127.0.0.1:${nginx}", upstreamTls: *inside }
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
admin: { address: "off" }
`;

async function startSite() {
  const started = new AsyncDisposableStack();
  const tls = { ...up, clients: inside.root.chainFile };
  const nginx = started.use(await startNginx({}, tls)), node = started.use(await startNode(tls));
  const folder = started.use(await Folder.make());
  await folder.write("page.html", "<p>text that compresses</p>\n".repeat(100));
  const program = started.use(await Program.start(yamlOf({ nginx: nginx.port, node: node.port }, folder)));
  const port = program.port("edge");
  const connected = async () =>
    started.use(await connectSecure({ port, servername: "www.example", ca: authority.root.chain })).client;
  return { port, connected, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

Deno.test({
  name: "files, fixed answers, redirects and two backends that ask for certificates stand behind one TLS",
  ignore,
  async fn() {
    await using running = await startSite();
    const at = ["-sS", "--connect-to", `::127.0.0.1:${running.port}`, "--cacert", authority.root.chainFile];
    const curl = async (...args: string[]) => (await succeed("curl", [...at, ...args])).stdout;
    const where = ["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"];
    equal(await curl("https://www.example/health"), "well\n");
    equal(await curl(...where, "https://www.example/old/a?b"), "302 https://www.example/new/a?b");
    equal(await curl(...where, "https://example/x"), "301 https://www.example/x");
    equal(await curl("-L", "https://example/small"), "small");
    for (const path of ["health", "old", "static/page.html", "live/x", "small"]) {
      equal(await curl(...where, `http://www.example/${path}`), `308 https://www.example/${path}`);
    }
    const page = await curl("--compressed", "-D", "-", "https://www.example/static/page.html");
    ok(/^content-encoding: gzip\r$/im.test(page) && page.includes("<p>text that compresses</p>\n<p>"), page);
    equal(await curl("-r", "3-6", "https://www.example/static/page.html"), "text");
    equal(await curl(...where, "--path-as-is", "https://www.example/static/../health"), "400 ");
    equal(await curl("-d", "x=1", "https://www.example/live/api?q"), "POST /api?q x=1");
    equal(await curl("https://www.example/small"), "small");
  },
});

/** Until that text has come; it is read octet by octet, for nothing tells how much there will be. */
async function until(client: Client, text: string): Promise<string> {
  let came = "";
  while (!came.endsWith(text)) came += String.fromCharCode(...await client.read(1));
  return came;
}

Deno.test({
  name: "what a backend sends goes on as it comes, with and without a length, from TLS to TLS",
  ignore,
  async fn() {
    await using running = await startSite();
    const ask = (client: Client, method: string, path: string) =>
      client.write(`${method} /live${path} HTTP/1.1\r\nHost: www.example\r\nAccept-Encoding: gzip\r\n\r\n`);
    const seen = await running.connected();
    for (
      const [path, last] of [["/events", "data: event 3\n"], ["/drip", "piece 3\n"], [
        "/unframed",
        "piece 3\n",
      ]]
    ) {
      const client = await running.connected();
      await ask(client, "GET", path);
      // node sends the next one when this one is confirmed: whoever gathers them stops it for ever.
      for (let n = 1; n <= 3; n++) {
        await until(client, last.replace("3", `${n}`));
        await ask(seen, "GET", "/seen");
        await until(seen, "ok");
      }
      if (path === "/unframed") await client.readAll();
      else await until(client, "0\r\n\r\n");
    }
    const socket = await running.connected();
    await socket.write(
      "GET /live/socket HTTP/1.1\r\nHost: www.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    ok((await until(socket, "\r\n\r\n")).includes("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455 1.3");
    await socket.write(Uint8Array.of(0x81, 0x82, 1, 2, 3, 4, 0x68 ^ 1, 0x69 ^ 2)); // "hi", masked
    equal(await socket.read(4), Uint8Array.of(0x81, 2, 0x68, 0x69));
  },
});
