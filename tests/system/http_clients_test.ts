/** curl and wrk through the gate, in clear and where TLS ends there, with nginx and node as backends. */
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, type Output, run, succeed } from "../support/child.ts";
import { startGate } from "../support/gate.ts";
import { pattern } from "../support/net.ts";
import { BIG, startNginx, startNode } from "../support/web_servers.ts";

const authority = await Authority.make("clients");
const site = await authority.issue(["a.example", "localhost"]);
const CERTIFICATES = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;
const TRUST = ["--cacert", authority.root.chainFile];
openssl(); // it stays loaded, as tests of leaks would tell
const TEXT = "<p>text that compresses well, </p>\n".repeat(200);
const CODE = ["-o", "/dev/null", "-w", "%{http_code} %{http_version}"];

Deno.test({
  name: "curl does what it can with nginx and node, in clear and over TLS",
  ignore: !need("curl", "nginx", "node"),
  async fn() {
    await using folder = await Folder.make();
    await using nginx = await startNginx({ "text.html": TEXT });
    await using node = await startNode();
    await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { path: /api, to: "http://127.0.0.1:${node.port}" }
  - { path: /node, to: "http://127.0.0.1:${node.port}", rewrite: { path: / } }
  - { to: "http://127.0.0.1:${nginx.port}", compress: [zstd, gzip] }
${CERTIFICATES}
`);
    const big = await folder.write("big", pattern(BIG)), out = `${folder.path}/out`;
    const intro = new TextEncoder().encode("PUT /api/big ");
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://a.example:${gate.port("edge")}`;
      const at = ["-sS", "--max-time", "20", "--connect-to", `::127.0.0.1:${gate.port("edge")}`, ...TRUST];
      const curl = async (...args: string[]) => (await succeed("curl", [...at, ...args])).stdout;
      equal(await curl(`${url}/small`, `${url}/small`, `${url}/api/x?y`), "smallsmallGET /api/x?y ");
      await curl("-o", out, `${url}/big`);
      equal(await Deno.readFile(out), pattern(BIG));
      equal(
        await curl("-r", "100-104", `${url}/big`),
        new TextDecoder().decode(pattern(BIG).subarray(100, 105)),
      );
      await Deno.writeFile(out, pattern(BIG).subarray(0, 1000));
      await curl("-C", "-", "-o", out, `${url}/big`);
      equal(await Deno.readFile(out), pattern(BIG), "the download went on where it had been cut");
      ok((await curl("-I", `${url}/big`)).includes(`Content-Length: ${BIG}`));
      equal(await curl(...CODE, `${url}/missing`), "404 1.1");
      equal(await curl(...CODE, "--path-as-is", `${url}/x/../api`), "400 1.1");

      equal(await curl("-d", "x=1", `${url}/api`), "POST /api x=1");
      equal(await curl("-X", "DELETE", `${url}/api/1`), "DELETE /api/1 ");
      equal(await curl("-X", "OPTIONS", `${url}/api`), "OPTIONS /api ");
      for (
        const how of [["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"]]
      ) {
        const { stderr } = await succeed("curl", [
          ...at,
          "-v",
          ...how,
          "-T",
          big,
          "-o",
          out,
          `${url}/api/big`,
        ]);
        equal((await Deno.readFile(out)).subarray(intro.length), pattern(BIG), `${how}`);
        equal(/< HTTP\/1\.1 100 Continue/.test(stderr), how[1] !== "Expect:", how[1]);
      }

      for (const coding of ["gzip", "zstd"]) {
        const heads = await curl(
          "-D",
          "-",
          "-H",
          `Accept-Encoding: ${coding}`,
          "-o",
          out,
          `${url}/text.html`,
        );
        ok(heads.includes(`Content-Encoding: ${coding}`), heads);
        ok((await Deno.stat(out)).size < TEXT.length / 10);
        equal(await curl("--compressed", "-H", `Accept-Encoding: ${coding}`, `${url}/text.html`), TEXT);
      }
      equal(await curl("--compressed", `${url}/text.html`), TEXT);

      const trailed = await curl("--raw", "-i", "-H", "TE: trailers", `${url}/node/trailers`);
      ok(trailed.endsWith("0\r\nX-Checksum: of it\r\n\r\n"), trailed);
    }
  },
});

Deno.test({
  name: "each version of HTTP and of TLS that curl has is served, or refused in so many words",
  ignore: !need("curl", "nc", "node"),
  async fn() {
    await using node = await startNode();
    await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: "http://127.0.0.1:${node.port}" }]
${CERTIFICATES}
`);
    const port = gate.port("edge");
    const curl = (scheme: string, ...how: string[]): Promise<Output> => {
      const at = ["-sS", "--max-time", "10", "--connect-to", `::127.0.0.1:${port}`, ...TRUST];
      return run("curl", [...at, ...how, `${scheme}://a.example:${port}/x`]);
    };
    const served = async (...given: Parameters<typeof curl>) => {
      const { code, stdout, stderr } = await curl(given[0], ...CODE, ...given.slice(1));
      return code === 0 ? stdout : stderr;
    };
    for (const scheme of ["http", "https"]) {
      equal(await served(scheme, "--http1.1"), "200 1.1");
      equal(await served(scheme, "--http1.0"), "200 1.1"); // RFC 9110 2.5: the version of whoever answers
      equal(await served(scheme, "--http2"), "200 1.1");
      equal(await served(scheme, "--http2", "-d", "content"), "200 1.1");
    }
    equal(await served("https", "--http2-prior-knowledge"), "200 1.1"); // ALPN says what there is
    const preface = await curl("http", "--http2-prior-knowledge");
    equal(preface.code, 52, preface.stderr); // an answer of HTTP/1.1 is none to it, and it does not wait for another
    const { cause } = await gate.record(({ outcome }) => outcome === "unsupported");
    equal(cause, "Cannot read the request head: an HTTP version other than 1.0 and 1.1");
    const oldest = await run("nc", ["-N", "-w", "10", "127.0.0.1", `${port}`], { stdin: "GET /\r\n" }); // HTTP/0.9
    ok(oldest.stdout.startsWith("HTTP/1.1 400 "), oldest.stdout);
    for (const version of ["1.2", "1.3"]) {
      const told = await curl("https", "-v", `--tlsv${version}`, "--tls-max", version);
      ok(told.stderr.includes(`SSL connection using TLSv${version}`), told.stderr);
      equal(told.stdout, "GET /x ");
    }
    const old = await curl("https", "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0");
    ok(/alert protocol version/.test(old.stderr), old.stderr);
  },
});

Deno.test({
  name: "wrk keeps its connections, in clear and over TLS, and every request is answered",
  ignore: !need("wrk", "nginx"),
  async fn() {
    await using nginx = await startNginx();
    await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: "http://127.0.0.1:${nginx.port}" }]
${CERTIFICATES}
`);
    const connections = 8;
    for (const scheme of ["http", "https"]) {
      const before = gate.requests.length;
      const url = `${scheme}://localhost:${gate.port("edge")}/small`;
      const { stdout } = await succeed("wrk", ["-t", "1", "-c", `${connections}`, "-d", "1", url]);
      const [, answered] = /(\d+) requests in/.exec(stdout)!;
      ok(Number(answered) > connections && !/Socket errors|Non-2xx/.test(stdout), stdout);
      for (let left = 0; left < connections; left++) await gate.record(({ protocol }) => protocol === "http");
      const lines = gate.requests.slice(before);
      ok(lines.filter(({ status }) => status === 200).length >= Number(answered));
      ok(new Set(lines.map(({ id }) => id)).size <= connections, "connections were not kept");
    }
  },
});

Deno.test({
  name:
    "curl's proxy is reached over TLS and wants a user, for http:// and https:// URLs; a unix socket serves it too",
  ignore: !need("curl", "node"),
  async fn() {
    await using folder = await Folder.make();
    await using node = await startNode();
    await using secure = await startNode(await authority.issue(["b.test"]));
    await using gate = await startGate(`
listeners:
  proxy: { address: "127.0.0.1:0", protocols: [tls, connect, http], users: { alice: "wonder land" } }
  local: { address: "unix:${folder.path}/web.sock", protocols: [http] }
routes:
  - { listener: proxy, host: localhost, tls: terminate }
  - { listener: local, to: "http://127.0.0.1:${node.port}" }
hosts:
  a.test: { addresses: ["127.0.0.1:${node.port}"] }
  b.test: { addresses: ["127.0.0.1:${secure.port}"] }
policy: [{ allow: { user: alice, hosts: [a.test, b.test] } }]
${CERTIFICATES}
`);
    const proxy = [
      "-x",
      `https://localhost:${gate.port("proxy")}`,
      "--proxy-cacert",
      authority.root.chainFile,
    ];
    const through = (...args: string[]) =>
      run("curl", ["-sS", "--ipv4", "-m", "20", ...proxy, ...TRUST, ...args]);
    const alice = ["-U", "alice:wonder land"];
    equal((await through(...alice, "http://a.test/1", "http://a.test/2")).stdout, "GET /1 GET /2 ");
    equal((await through(...alice, "-p", "http://a.test/3")).stdout, "GET /3 ");
    equal((await through(...alice, "-d", "content", "https://b.test/4")).stdout, "POST /4 content");
    equal((await through("-U", "alice:guess", ...CODE, "http://a.test/")).stdout, "407 1.1");
    const refused = await through("-U", "alice:guess", "https://b.test/");
    ok(/response 407/.test(refused.stderr), refused.stderr);
    const elsewhere = await through(...alice, "https://c.test/");
    ok(/response 403/.test(elsewhere.stderr), elsewhere.stderr);
    const local = ["-sS", "--unix-socket", `${folder.path}/web.sock`, "http://any.example/5"];
    equal((await succeed("curl", local)).stdout, "GET /5 ");
  },
});
