/** HTTPS at the gate, with peers that others wrote: curl, openssl, ssh, nginx and node as backends over TLS. */
import { need } from "../../scripts/clients.ts";
import { freePort } from "../../scripts/free_ports.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority, type Issued } from "../support/certificates.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { connect, pattern } from "../support/net.ts";
import { readResponse } from "../support/http_peers.ts";
import { Program } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";
import { connectSecure, fingerprintOf } from "../support/tls_clients.ts";
import { startNginxWith } from "../support/web_servers.ts";

const authority = await Authority.make("https"), inside = await Authority.make("inside");
const site = await authority.issue(["a.example", "b.example"]), me = await inside.issue(["gate.example"]);
const ca = authority.root.chain, caFile = authority.root.chainFile;
const ADMIN = 'admin: { address: "127.0.0.1:0" }';
const certificates = ({ chainFile, keyFile }: Issued) =>
  `certificates: [{ cert: "${chainFile}", key: "${keyFile}" }]`;
const ignore = !need("curl", "openssl", "ssh", "sshd", "nginx");
const web = () =>
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    return new Response(`by ${headers.get("x-forwarded-proto")} for ${headers.get("host")}\n`);
  });

/** Two servers of nginx over TLS: one for anyone, one that wants a certificate. They end each connection. */
async function startSecureNginx(folder: Folder, { chainFile, keyFile }: Issued) {
  const [port, strict] = [freePort(), freePort()];
  const server = (listening: number, version: string, more = "") =>
    `server { ssl_protocols ${version}; listen 127.0.0.1:${listening} ssl; ssl_certificate ${chainFile}; ssl_certificate_key ${keyFile};
      keepalive_timeout 0; ${more}
      location / { return 200 "$ssl_server_name $ssl_client_verify $ssl_session_reused $ssl_protocol"; } }`;
  const child = await startNginxWith(
    folder,
    server(port, "TLSv1.3") +
      server(strict, "TLSv1.2", `ssl_client_certificate ${inside.root.chainFile}; ssl_verify_client on;`),
  );
  return { port, strict, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

Deno.test({
  name: "http and https by one port, SSH beside them, in TLS and outside of it",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    await using plain = web();
    const to = `http://127.0.0.1:${plain.addr.port}`;
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http, ssh] } }
routes:
  - { host: a.example, to: "${to}" }
  - { host: b.example, tls: terminate, to: "${to}" }
  - { protocol: ssh, to: "127.0.0.1:${sshd.port}" }
${certificates(site)}
${ADMIN}`);
    const port = program.port("edge");
    const curl = async (url: string, ...more: string[]) => {
      const at = ["-sS", "--resolve", `*:${port}:127.0.0.1`, "--cacert", caFile];
      return (await succeed("curl", [...at, ...more, url])).stdout;
    };
    equal(await curl(`http://a.example:${port}/`), `by http for a.example:${port}\n`);
    for (const version of ["--http1.0", "--http1.1", "--http2"]) {
      equal(await curl(`https://a.example:${port}/`, version), `by https for a.example:${port}\n`);
    }
    const redirected = await curl(`http://b.example:${port}/x?y`, "-w", "%{http_code} %{redirect_url}");
    equal(redirected, `308 https://b.example:${port}/x?y`);
    equal(await curl(`http://b.example:${port}/`, "-L"), `by https for b.example:${port}\n`);
    equal(await curl(`http://b.example:${port}/`, "-L", "-d", "content"), `by https for b.example:${port}\n`);

    const proxy =
      `ProxyCommand=openssl s_client -quiet -verify_quiet -verify_return_error -CAfile ${caFile} ` +
      `-connect 127.0.0.1:${port} -servername a.example`;
    ok(/^uid=/.test((await succeed("ssh", [...sshd.args, "-o", proxy, "127.0.0.1", "id"])).stdout));
    ok(/^uid=/.test((await succeed("ssh", [...sshd.args, "-p", `${port}`, "127.0.0.1", "id"])).stdout));
  },
});

Deno.test({
  name: "a client that offers only what is not spoken gets the alert that says so",
  ignore,
  async fn() {
    await using plain = web();
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ host: a.example, to: "http://127.0.0.1:${plain.addr.port}" }]
${certificates(site)}
${ADMIN}`);
    const offer = async (version: string, ...alpn: string[]) => {
      const at = ["s_client", "-connect", `127.0.0.1:${program.port("edge")}`, "-servername", "a.example"];
      const { stdout, stderr } = await run("openssl", [...at, "-CAfile", caFile, version, ...alpn], {
        stdin: "",
      });
      return stdout + stderr;
    };
    for (const version of ["-tls1_2", "-tls1_3"]) {
      ok(/ALPN protocol: http\/1\.1/.test(await offer(version, "-alpn", "h2,http/1.1")));
      ok(/No ALPN negotiated/.test(await offer(version)));
      const refused = await offer(version, "-alpn", "h2");
      ok(/alert no application protocol/.test(refused), refused);
    }
    const strange = await run("openssl", [
      ...["s_client", "-connect", `127.0.0.1:${program.port("edge")}`, "-servername", "c.example"],
    ], { stdin: "" });
    ok(strange.code !== 0 || /handshake|alert|no peer certificate/.test(strange.stderr), strange.stderr);
  },
});

Deno.test({
  name: "nginx as a backend over TLS: believed by its roots, met with a certificate, its sessions resumed",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const served = await inside.issue(["up.example"]);
    await using nginx = await startSecureNginx(folder, served);
    const tls = `ca: "${inside.root.chainFile}", serverName: up.example`;
    const known = `${tls}, certificate: "${me.chainFile}", key: "${me.keyFile}"`;
    const route = (path: string, port: number, keys: string) =>
      `  - { path: ${path}, to: "https://127.0.0.1:${port}"${keys && `, upstreamTls: { ${keys} }`} }`;
    await using program = await Program.start(
      `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
${route("/plain", nginx.port, tls)}
${route("/strict", nginx.strict, known)}
${route("/nobody", nginx.strict, tls)}
${route("/wrong", nginx.port, `ca: "${inside.root.chainFile}", serverName: down.example`)}
${route("/stranger", nginx.port, `ca: "${caFile}", serverName: up.example`)}
${route("/any", nginx.port, "insecure: true")}
${route("/system", nginx.port, "serverName: up.example")}
${ADMIN}`,
      { env: { SSL_CERT_FILE: inside.root.chainFile } },
    );
    const ask = async (path: string) =>
      (await succeed("curl", [
        "-sS",
        "-w",
        " %{http_code}",
        `http://127.0.0.1:${program.port("web")}${path}`,
      ])).stdout;
    equal(await ask("/plain"), "up.example NONE . TLSv1.3 200");
    equal(await ask("/plain"), "up.example NONE r TLSv1.3 200");
    equal(await ask("/strict"), "up.example SUCCESS . TLSv1.2 200");
    equal(await ask("/strict"), "up.example SUCCESS r TLSv1.2 200");
    ok(/400 No required SSL certificate.* 400$/s.test(await ask("/nobody")));
    for (const path of ["/wrong", "/stranger"]) ok(/ 502$/.test(await ask(path)), path);
    equal(await ask("/any"), " NONE . TLSv1.3 200");
    equal(await ask("/system"), "up.example NONE . TLSv1.3 200");
    const told = await (await program.admin("/config")).text() +
      await (await program.admin("/status")).text();
    ok(told.includes(me.keyFile) && !(told + program.child.stderr).includes(me.key.split("\n")[1]));
  },
});

Deno.test("certificates and routes that change under load fail no request, on either side of the gate", async () => {
  await using folder = await Folder.make();
  const place = async (name: string, content: string) => {
    await Deno.writeTextFile(`${folder.path}/${name}.new`, content);
    await Deno.rename(`${folder.path}/${name}.new`, `${folder.path}/${name}`);
  };
  const put = async ({ chain, key }: { chain: string; key: string }) => {
    await place("cert.pem", chain);
    await place("key.pem", key);
  };
  await put(site);
  await place("ca.pem", inside.root.chain);
  const served = await inside.issue(["127.0.0.1"]);
  await using backend = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert: served.chain, key: served.key, onListen() {} },
    () => new Response("over TLS"),
  );
  const yaml = (paths: string) => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
${paths}
  - { to: "https://127.0.0.1:${backend.addr.port}", upstreamTls: { ca: "${folder.path}/ca.pem" } }
certificates: [{ cert: "${folder.path}/cert.pem", key: "${folder.path}/key.pem" }]
engine: { threads: 2 }
${ADMIN}`;
  await using program = await Program.start(yaml(""));
  const seen = new Set<string>(), failures: string[] = [];
  let stop = false, served200 = 0;
  const port = program.port("edge"), request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  const load = Array.from({ length: 4 }, async (_, i) => {
    while (!stop) {
      try {
        await using secure = i === 0 ? undefined : await connectSecure({ port, servername: "a.example", ca });
        await using clear = i === 0 ? await connect(port) : undefined;
        if (secure) seen.add(fingerprintOf(secure.socket));
        const client = secure?.client ?? clear!;
        for (let requests = 0; requests < 3; requests++) {
          await client.write(request);
          const { status, content } = await readResponse(client);
          if (status !== 200 || content !== "over TLS") failures.push(`${status} ${content}`);
          else served200++;
        }
      } catch (thrown) {
        failures.push(String(thrown));
      }
    }
  });
  for (let change = 1; change <= 3; change++) {
    await put(await authority.issue(["a.example"]));
    await place("ca.pem", inside.root.chain + "\n".repeat(change)); // other settings: nothing pooled fits
    await program.configure(yaml(`  - { path: /${change}, to: "http://127.0.0.1:1" }`));
    const before = served200;
    await program.child.until(() => seen.size > change && served200 > before + 20 ? true : undefined);
  }
  stop = true;
  await Promise.all(load);
  equal([failures, seen.size >= 4], [[], true]);
});

Deno.test({
  name:
    "content of every size goes from TLS to TLS as it came, both ways, and so does what an upgrade makes of it",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    const served = await inside.issue(["127.0.0.1"]);
    await using backend = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: served.chain, key: served.key, onListen() {} },
      (request) => {
        if (request.headers.get("upgrade") !== "websocket") return new Response(request.body);
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = ({ data }) => socket.send(data);
        return response;
      },
    );
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes: [{ to: "https://127.0.0.1:${backend.addr.port}", upstreamTls: { ca: "${inside.root.chainFile}" } }]
${certificates(site)}
${ADMIN}`);
    const port = program.port("edge"), big = await folder.write("big", pattern(5_000_000));
    const at = ["-sS", "--resolve", `*:${port}:127.0.0.1`, "--cacert", caFile, `https://a.example:${port}/`];
    for (const size of [0, 1, 16_384, 70_000, 1_000_001]) {
      const file = await folder.write("some", pattern(size));
      equal((await succeed("curl", ["-T", file, ...at])).bytes, pattern(size), `${size}`);
    }
    const chunked = ["-T", big, "-H", "Transfer-Encoding: chunked", "-H", "Expect:"];
    for (const how of [["-T", big], chunked]) {
      equal((await succeed("curl", [...how, ...at])).bytes, pattern(5_000_000));
    }
    await using secure = await connectSecure({ port, servername: "a.example", ca });
    await secure.client.write(
      "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    equal((await readResponse(secure.client)).status, 101);
    await secure.client.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69)); // "hi", masked by zeros
    equal(await secure.client.read(4), Uint8Array.of(0x81, 2, 0x68, 0x69));
  },
});
