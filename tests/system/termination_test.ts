/** TLS that ends at the gate, with peers that others wrote: curl, openssl, ssh, node:tls. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { listen, listenEcho, socks } from "../support/net.ts";
import { Program, ugate } from "../support/program.ts";
import { startOpensslHttps, startSshd } from "../support/servers.ts";
import { connectSecure, fingerprintOf } from "../support/tls_clients.ts";

const authority = await Authority.make("termination");
const site = await authority.issue(["end.example", "*.in.example"]);
const ca = authority.root.chain, caFile = authority.root.chainFile;
const CERTIFICATES = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;
const ADMIN = 'admin: { address: "127.0.0.1:0" }';
const ignore = !need("curl", "openssl", "ssh", "sshd");
const web = () =>
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("in clear\n"));

Deno.test({
  name: "by SNI one port passes TLS on and ends it; check, explain, status and metrics tell",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    await using passed = await startOpensslHttps(folder, "pass.example");
    await using plain = web();
    const to = `127.0.0.1:${plain.addr.port}`;
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls] } }
routes:
  - { host: pass.example, to: "127.0.0.1:${passed.port}" }
  - { host: end.example, tls: terminate, to: "${to}" }
  - { host: "*.in.example", tls: terminate, to: "${to}" }
${CERTIFICATES}
${ADMIN}`);
    const at = ["-sS", "--connect-to", `::127.0.0.1:${program.port("edge")}`];
    const there = await succeed("curl", [...at, "--cacert", passed.cert, "https://pass.example/"]);
    ok(there.stdout.includes("Ciphers supported"), there.stdout);
    for (const name of ["end.example", "x.in.example"]) {
      equal((await succeed("curl", [...at, "--cacert", caFile, `https://${name}/`])).stdout, "in clear\n");
    }
    const ended = await program.record(({ target }) => target === "end.example:443");
    equal([ended.outcome, ended.endpoint, ended.protocol], ["ok", to, "tls"]);
    ok(
      JSON.stringify(ended).includes('"tls":"TLSv1.3"') && ended.up > 0 && ended.down > 0,
      JSON.stringify(ended),
    );
    const deep = await run("curl", [...at, "--cacert", caFile, "https://x.y.in.example/"]);
    ok(/unrecognized name/.test(deep.stderr), deep.stderr);
    equal((await program.record(({ target }) => target === "x.y.in.example:443")).outcome, "no-route");

    const path = `${program.folder.path}/ugate.yaml`;
    const explained = await ugate(["explain", "-c", path, "--sni", "end.example"]);
    ok(
      /TLS ends here, with .*certificates\[0\] \(end\.example, \*\.in\.example; until 2/.test(
        explained.stdout,
      ),
    );
    ok(explained.stdout.includes(`goes to ${to}`), explained.stdout);
    const status = await (await program.admin("/status")).text();
    const { certificates } = JSON.parse(status);
    equal(certificates[0].names, ["end.example", "*.in.example"]);
    const metrics = await (await program.admin("/metrics")).text();
    const expiry = Date.parse(certificates[0].expires) / 1000;
    ok(
      metrics.includes(`ugate_certificate_expiry_timestamp_seconds{name="end.example"} ${expiry}\n`),
      metrics,
    );
    const told = [status, metrics, await (await program.admin("/config")).text(), program.child.stderr]
      .join();
    ok(!told.includes("PRIVATE KEY") && !told.includes(site.key.split("\n")[1]));
  },
});

Deno.test({
  name: "what is inside comes in again: SSH in TLS, SOCKS in TLS, without the trust of loopback",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    await using echo = await listenEcho();
    await using program = await Program.start(`
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, ssh, socks] }
routes: [{ host: end.example, tls: terminate }, { protocol: ssh, to: "127.0.0.1:${sshd.port}" }]
policy: [{ allow: { protocol: socks, addresses: "127.0.0.1/32", ports: ${echo.port} } }]
log: { level: debug }
${CERTIFICATES}
${ADMIN}`);
    const port = program.port("edge");
    const proxy =
      `ProxyCommand=openssl s_client -quiet -verify_quiet -verify_return_error -CAfile ${caFile} ` +
      `-connect 127.0.0.1:${port} -servername end.example`;
    ok(/^uid=/.test((await succeed("ssh", [...sshd.args, "-o", proxy, "127.0.0.1", "id"])).stdout));
    const inner = await program.record(({ protocol }) => protocol === "ssh");
    const outer = await program.record(({ id }) => id === inner.parent);
    // ssh ends its ProxyCommand before that can say goodbye in TLS, which is a reset.
    equal([inner.serverName, inner.endpoint, outer.protocol, outer.outcome], [
      "end.example",
      `127.0.0.1:${sshd.port}`,
      "tls",
      "ok",
    ]);

    await using tls = await connectSecure({ port, servername: "end.example", ca });
    await socks(tls.client, "127.0.0.1", echo.port);
    await tls.client.write("through both");
    equal(new TextDecoder().decode(await tls.client.read(12)), "through both");
    await using other = await connectSecure({ port, servername: "end.example", ca });
    const refused = await socks(other.client, "127.0.0.1", sshd.port).then(() => "", String);
    ok(/socks reply 2/.test(refused), refused);
    const explained = await ugate([
      "explain",
      "-c",
      `${program.folder.path}/ugate.yaml`,
      "--sni",
      "end.example",
    ]);
    equal(explained.code, 0, explained.stdout);
    ok(/comes in again at this listener/.test(explained.stdout), explained.stdout);
  },
});

Deno.test("four layers are unwrapped, and no fifth", async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh] } }
routes: [{ host: end.example, tls: terminate }, { protocol: ssh, to: "127.0.0.1:${echo.port}" }]
${CERTIFICATES}
${ADMIN}`);
  await using cleanup = new AsyncDisposableStack();
  const name = { servername: "end.example", ca };
  let layer = cleanup.use(await connectSecure({ port: program.port("edge"), ...name }));
  for (let depth = 2; depth <= 4; depth++) {
    layer = cleanup.use(await connectSecure({ socket: layer.socket, ...name }));
  }
  await layer.client.write("SSH-echo");
  equal(new TextDecoder().decode(await layer.client.read(8)), "SSH-echo");

  let second = cleanup.use(await connectSecure({ port: program.port("edge"), ...name }));
  for (let depth = 2; depth <= 4; depth++) {
    second = cleanup.use(await connectSecure({ socket: second.socket, ...name }));
  }
  const fifth = await connectSecure({ socket: second.socket, ...name }).then(
    async (deep) => {
      cleanup.use(deep);
      await deep.client.write("SSH-echo");
      return await deep.client.read(8).then(() => "came in", () => "cut");
    },
    () => "cut",
  );
  equal(fifth, "cut");
});

Deno.test({
  name: "client certificates: required, or looked at where there are some; the journal tells whose",
  ignore,
  async fn() {
    const friend = await authority.issue(["friend.example"]);
    const rogue = await (await Authority.make("rogue")).issue(["rogue.example"]);
    await using plain = web();
    await using program = await Program.start(`
listeners:
  strict: { address: "127.0.0.1:0", protocols: [tls], clientCertificates: { ca: "${caFile}" } }
  polite: { address: "127.0.0.1:0", protocols: [tls], clientCertificates: { require: false, ca: "${caFile}" } }
routes: [{ host: end.example, tls: terminate, to: "127.0.0.1:${plain.addr.port}" }]
${CERTIFICATES}
${ADMIN}`);
    const get = (listener: string, ...more: string[]) =>
      run("curl", [
        ...["-sS", "--connect-to", `::127.0.0.1:${program.port(listener)}`, "--cacert", caFile],
        ...[...more, "https://end.example/"],
      ]);
    const as = ({ chainFile, keyFile }: typeof friend) => ["--cert", chainFile, "--key", keyFile];
    for (const version of ["1.2", "1.3"]) {
      const tls = [`--tlsv${version}`, "--tls-max", version];
      equal((await get("strict", ...tls, ...as(friend))).stdout, "in clear\n");
      const known = await program.record(({ outcome }) => outcome === "ok");
      const der =
        (await succeed("openssl", ["x509", "-in", friend.chainFile, "-noout", "-fingerprint", "-sha256"]))
          .stdout;
      const fingerprint = der.split("=")[1].trim().replaceAll(":", "").toLowerCase();
      ok(JSON.stringify(known).includes(`"clientCertificate":"${fingerprint}"`), JSON.stringify(known));
      ok((await get("strict", ...tls)).code !== 0);
      const nobody = await program.record();
      equal([nobody.outcome, nobody.side], ["unauthenticated", "client"]);
      ok((await get("strict", ...tls, ...as(rogue))).code !== 0);
      equal((await program.record()).outcome, "unauthenticated");
      equal((await get("polite", ...tls)).stdout, "in clear\n");
      ok((await get("polite", ...tls, ...as(rogue))).code !== 0);
      for (let left = 0; left < 2; left++) await program.record();
    }
  },
});

Deno.test("a certificate that changes on disk is served without one failed handshake; a broken pair is not", async () => {
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
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls] } }
routes: [{ host: end.example, tls: terminate, to: "127.0.0.1:${echo.port}" }]
certificates: [{ cert: "${folder.path}/cert.pem", key: "${folder.path}/key.pem" }]
engine: { threads: 2 }
${ADMIN}`);
  const seen = new Set<string>();
  const failures: string[] = [];
  let stop = false;
  const port = program.port("edge");
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      try {
        await using one = await connectSecure({ port, servername: "end.example", ca });
        seen.add(fingerprintOf(one.socket));
        await one.client.write("x");
        await one.client.read(1);
      } catch (thrown) {
        failures.push(String(thrown));
      }
    }
  });
  await using kept = await connectSecure({ port, servername: "end.example", ca });
  const first = fingerprintOf(kept.socket);
  for (let change = 1; change <= 3; change++) {
    await put(await authority.issue(["end.example"]));
    await program.child.until(() => seen.size > change ? true : undefined);
  }
  const told = program.messages.length;
  await place("key.pem", site.key); // of another certificate
  await program.message(
    (message) => /refused: .*certificates\[0\]\.key: Cannot use a private key/.test(message),
    told,
  );
  const { size } = seen;
  const last = await connectSecure({ port, servername: "end.example", ca });
  ok(fingerprintOf(last.socket) !== first);
  await last[Symbol.asyncDispose]();
  await kept.client.write("still");
  equal(new TextDecoder().decode(await kept.client.read(5)), "still");
  await put(site);
  await program.message((message) => /certificates: end\.example\+\*\.in\.example new/.test(message), told);
  stop = true;
  await Promise.all(load);
  equal([size, failures], [4, []]);
});

Deno.test({
  name:
    "a session resumes on every engine, under the listener, name and client certificates it began with alone",
  ignore,
  async fn() {
    await using folder = await Folder.make();
    await using bye = await listen((socket) => socket.end("bye")); // tickets come before it
    await using program = await Program.start(`
listeners:
  one: { address: "127.0.0.1:0", protocols: [tls] }
  two: { address: "127.0.0.1:0", protocols: [tls] }
  asks: { address: "127.0.0.1:0", protocols: [tls], clientCertificates: { require: false, ca: "${caFile}" } }
routes: [{ host: "*", tls: terminate, to: "127.0.0.1:${bye.port}" }]
engine: { threads: 2 }
${CERTIFICATES}
${ADMIN}`);
    const [one, two, asks] = ["one", "two", "asks"].map((name) => program.port(name));
    const session = `${folder.path}/session`;
    const openssl = async (port: number, name: string, version: string, ...more: string[]) => {
      const args = [
        "s_client",
        "-connect",
        `127.0.0.1:${port}`,
        "-servername",
        name,
        "-CAfile",
        caFile,
        version,
        "-ign_eof",
      ];
      const { stdout } = await succeed("openssl", [...args, ...more], { stdin: "" });
      return /^Reused, /m.test(stdout);
    };
    for (const version of ["-tls1_2", "-tls1_3"]) {
      await openssl(one, "a.in.example", version, "-sess_out", session);
      const again = (port: number, name: string) => openssl(port, name, version, "-sess_in", session);
      for (let i = 0; i < 8; i++) equal(await again(one, "a.in.example"), true, `${version} ${i}`);
      equal(await again(one, "b.in.example"), false, "another name");
      equal(await again(two, "a.in.example"), false, "another listener");
      equal(await again(asks, "a.in.example"), false, "one that asks for certificates");
    }
  },
});
