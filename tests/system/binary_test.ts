/**
 * The compiled program does its main job where nothing helps it: no Deno, no packages, no environment, another name,
 * another user, nothing to write. UGATE_BINARY names it.
 */
import { freePort, freePorts } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { PAGE } from "../../gate/admin/page.ts";
import { VERSION } from "../../gate/version.ts";
import { equal, ok } from "../support/assert.ts";
import { ask, givenBinary, rewrite, serve, settle, STATE } from "../support/binary.ts";
import { Child, Folder, run, succeed } from "../support/child.ts";
import { TestIssuer } from "../support/issuer.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { Pebble } from "../support/pebble.ts";
import { makeKey, SSH } from "../support/ssh_gate.ts";
import { SshThread } from "../support/ssh_thread.ts";
import { startPythonHttps } from "../support/servers.ts";

const BINARY = await givenBinary();
const NOBODY = 65534;
const DONE = 0, FAILED = 1, USAGE = 2;
/** ms until what was asked of the gate has happened, and between two looks. */
const HAPPENS_TIME = 10_000, LOOK_AGAIN = 20;

const ignore = BINARY === undefined;
const withBinary = (name: string, fn: (binary: string) => Promise<void>) =>
  Deno.test({ name, ignore, fn: () => fn(BINARY!) });

const LOCAL = `
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks, connect, tls] }
admin: { address: "off" }
`;

/** Whether somebody listens on that port of loopback. */
async function answers(port: number): Promise<boolean> {
  try {
    await using _client = await connect(port);
    return true;
  } catch {
    return false;
  }
}

/** Waits until `port` answers, or until it no longer does: a signal has no reply. */
async function until(port: number, expected: boolean): Promise<void> {
  const late = performance.now() + HAPPENS_TIME;
  while (await answers(port) !== expected) {
    if (performance.now() > late) {
      throw new Error(`port ${port}: ${expected ? "nobody" : "somebody"} listens`);
    }
    await new Promise((wake) => setTimeout(wake, LOOK_AGAIN));
  }
}

async function echoes(client: Client, text: string): Promise<void> {
  await client.write(text);
  equal(new TextDecoder().decode(await client.read(text.length)), text);
}

withBinary("the binary answers every verb without Deno, home or environment", async (binary) => {
  await using folder = await settle(binary, LOCAL);
  const version = await ask(folder, ["version"]);
  equal([version.code, version.stderr], [DONE, ""]);
  ok(version.stdout.startsWith(`ugate ${VERSION} (Deno `), version.stdout);
  const check = await ask(folder, ["check"]); // ./ugate.yaml
  equal([check.code, check.stderr], [DONE, ""]);
  const explain = await ask(folder, ["explain", "localhost:9"]);
  equal([explain.code, explain.stderr], [DONE, ""]);
  ok(explain.stdout.includes("127.0.0.1:9"), explain.stdout);
  equal((await ask(folder, ["explain", "169.254.169.254:80"])).code, FAILED);
  const schema = await ask(folder, ["schema"]);
  ok("listeners" in JSON.parse(schema.stdout).properties);
  const hash = await ask(folder, ["hash"], "secret\n");
  ok(/^scrypt:\S+\n$/.test(hash.stdout), hash.stdout + hash.stderr);
  equal((await ask(folder, ["rum"])).code, USAGE);
});

withBinary("the binary tells a broken configuration with its place", async (binary) => {
  await using folder = await settle(binary, 'listeners: { edge: { adress: "127.0.0.1:0" } }\n');
  for (const verb of ["check", "run"]) {
    const { code, stdout, stderr } = await ask(folder, [verb]);
    equal([code, stdout], [FAILED, ""]);
    ok(stderr.includes("ugate.yaml:1:") && stderr.includes("did you mean"), stderr);
  }
});

Deno.test({
  name: "the binary carries SOCKS, CONNECT and TLS by its name, as nobody and from a read-only directory",
  ignore: ignore || !need("curl", "openssl", "python3"),
  async fn() {
    await using files = await Folder.make();
    await using web = await startPythonHttps(files, "web.test");
    await using program = await serve(
      await settle(BINARY!, `${LOCAL}\nroutes: [{ host: web.test, to: "127.0.0.1:${web.port}" }]`),
    );
    const state = await Deno.readTextFile(`/proc/${program.child.pid}/status`);
    ok(/^Uid:\t65534\t65534\t65534\t65534$/m.test(state) && /^CapEff:\t0+$/m.test(state), state);
    equal(await Deno.readTextFile(`/proc/${program.child.pid}/environ`), "");
    const proxy = `127.0.0.1:${program.port("local")}`;
    const get = async (url: string, ...how: string[]) =>
      (await succeed("curl", ["-sS", "--max-time", "20", ...how, url])).stdout;
    for (const scheme of ["socks5h", "socks4a", "http"]) {
      equal(
        await get(`https://localhost:${web.port}/`, "-k", "-x", `${scheme}://${proxy}`),
        "I am web.test",
        scheme,
      );
    }
    const bySni = ["--cacert", web.cert, "--connect-to", `::${proxy}`];
    equal(await get("https://web.test/", ...bySni), "I am web.test");
    equal(await program.stop(), DONE);
    equal(program.records.map(({ protocol, outcome }) => `${protocol} ${outcome}`).sort(), [
      ...["connect ok", "socks ok", "socks ok", "tls ok"],
    ]);
  },
});

Deno.test({
  name: "the binary ends TLS with a certificate it made, serves files compressed, and believes tokens",
  ignore: ignore || !need("curl"),
  async fn() {
    await using issuer = await TestIssuer.start();
    await using made = await Folder.make();
    const out = ["--out", made.path, "--state", `${made.path}/state`];
    await succeed(BINARY!, ["dev-cert", "app.test", ...out], { clearEnv: true });
    const [cert, key, root] = ["app.test.pem", "app.test.key", "ugate-dev-root.pem"].map((name) =>
      `${made.path}/${name}`
    );
    await Deno.chmod(made.path, 0o755);
    for (const file of [cert, key]) await Deno.chown(file, NOBODY, NOBODY);
    const page = "<p>text that compresses</p>\n".repeat(100);
    await made.write("page.html", page);
    const token = { jwt: { issuer: issuer.name, audiences: ["app"] } };
    await using program = await serve(
      await settle(
        BINARY!,
        `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { path: /in, respond: { body: known }, auth: ${JSON.stringify(token)} }
  - { files: "${made.path}", compress: [zstd, gzip] }
issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]
certificates: [{ cert: "${cert}", key: "${key}" }]
admin: { address: "off" }
`,
      ),
    );
    const at = ["-sS", "-m", "20", "--cacert", root, "--connect-to", `::127.0.0.1:${program.port("edge")}`];
    const get = async (path: string, ...how: string[]) =>
      (await succeed("curl", [...at, ...how, `https://app.test${path}`])).stdout;
    for (const coding of ["gzip", "zstd"]) {
      const coded = await get("/page.html", "-i", "--compressed", "-H", `Accept-Encoding: ${coding}`);
      ok(coded.includes(`\r\nContent-Encoding: ${coding}\r\n`), coded);
      ok(coded.includes("Content-Type: text/html") && coded.endsWith(page), coded);
    }
    equal(await get("/in", "-o", "/dev/null", "-w", "%{http_code}"), "401");
    equal(await get("/in", "--oauth2-bearer", await issuer.token()), "known");
    equal(await program.stop(), DONE);
  },
});

Deno.test({
  name: "the binary gets a certificate from an authority, serves it and keeps it",
  ignore: ignore || !need("curl", "openssl", "pebble"),
  async fn() {
    const [tlsPort, httpPort] = freePorts(2);
    await using pebble = await Pebble.start({ tlsPort, httpPort });
    await using roots = await Folder.make();
    await Deno.chmod(roots.path, 0o755);
    const ca = await roots.write("pebble.pem", await Deno.readTextFile(pebble.ca));
    await using program = await serve(
      await settle(
        BINARY!,
        `
listeners: { edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls, http] } }
routes: [{ host: app.test, respond: { body: hello } }]
acme: { directory: "${pebble.directory}", ca: "${ca}", names: [app.test] }
node: { state: ${STATE} }
admin: { address: "off" }
`,
      ),
    );
    await program.message((message) => /^certificate of app.test issued/.test(message));
    const root = await roots.write("root.pem", await pebble.root());
    const kept = `/proc/${program.child.pid}/root${program.folder.path}/${STATE}/acme/certificates`;
    equal((await Deno.stat(`${kept}/app.test.pem`)).mode! & 0o777, 0o600);
    const at = ["-sS", "--cacert", root, "--connect-to", `::127.0.0.1:${tlsPort}`, "https://app.test/"];
    equal((await run("curl", at)).stdout, "hello", program.child.stderr);
    equal(await program.stop(), DONE);
  },
});

withBinary("the binary's admin page has everything it shows, and its verbs reach it", async (binary) => {
  await using program = await serve(await settle(binary, LOCAL.replace('"off"', '"127.0.0.1:0"')));
  const data = ["/status", "/metrics", "/connections", "/config", "/healthz", "/readyz"];
  for (const page of [...Object.keys(PAGE), ...data]) {
    const response = await program.admin(page);
    ok((await response.text()).length > 0);
    equal([page, response.status], [page, 200]);
  }
  const admin = program.addresses("admin")[0];
  for (const verb of ["status", "connections", "reload"]) {
    const { code, stderr } = await ask(program.folder, [verb, "--admin", admin]);
    equal([verb, code], [verb, DONE], stderr);
  }
  equal(await program.stop(), DONE);
});

withBinary(
  "the binary reloads on SIGHUP without cutting anyone, and a broken file changes nothing",
  async (binary) => {
    await using echo = await listenEcho();
    const [local, added] = [freePort(), freePort()];
    const listeners = (more = "") => `
listeners:
  local: { address: "127.0.0.1:${local}", protocols: [socks] }
${more}
admin: { address: "off" }
`;
    await using program = await serve(await settle(binary, listeners()), "--no-watch");
    await using client = await connect(local);
    await socks(client, "127.0.0.1", echo.port);
    await echoes(client, "before");
    const forward = `  added: { address: "127.0.0.1:${added}", to: "127.0.0.1:${echo.port}" }`;
    await rewrite(program.folder, listeners(forward));
    ok(!await answers(added), "it reloaded before it was asked to");
    program.child.signal("SIGHUP");
    await until(added, true);
    await echoes(client, "after");
    await rewrite(program.folder, listeners("  broken: { adress: 1 }"));
    program.child.signal("SIGHUP");
    await program.child.line(/ugate\.yaml:4:/);
    await using other = await connect(added);
    await echoes(other, "still there");
    await echoes(client, "and here");
    client.end();
    other.end();
    await Promise.all([client.readAll(), other.readAll()]);
    equal(await program.stop(), DONE);
  },
);

withBinary(
  "the binary ends a transfer that is under way at SIGTERM, while nobody new is let in",
  async (binary) => {
    const bytes = pattern(16 << 20), half = bytes.length / 2;
    const released = Promise.withResolvers<void>();
    await using server = await listen((socket) => {
      socket.write(bytes.subarray(0, half));
      void released.promise.then(() => socket.end(bytes.subarray(half)));
    });
    await using program = await serve(await settle(binary, LOCAL));
    const port = program.port("local");
    await using client = await connect(port);
    await socks(client, "127.0.0.1", server.port);
    const first = await client.read(half);
    program.child.signal("SIGTERM");
    await until(port, false);
    ok(!program.child.ended, "it has ended, with a transfer under way");
    released.resolve();
    const rest = await client.readAll();
    equal(first.length + rest.length, bytes.length);
    ok([first, rest].every((part, i) => part.every((byte, at) => byte === bytes[i * half + at])));
    client.end();
    equal(await program.child.exit(), DONE);
    const transfers = program.records.filter(({ target }) => target !== undefined);
    equal(transfers.map(({ outcome, down }) => [outcome, down]), [["ok", bytes.length]]);
  },
);

Deno.test({
  name:
    "the binary ends SSH: its identity, a login, a name that is reached, a session, and a key exchange by ML-KEM",
  ignore: ignore || !need("ssh", "ssh-keygen"),
  async fn() {
    const key = await makeKey(), admin = await makeKey(), name = "pi.mesh.example.com";
    await using keys = await Folder.make();
    await Deno.chmod(keys.path, 0o755);
    const lines = [`permitlisten="${name}:8080" ${key.line}`, `environment="UGATE_ROLE=admin" ${admin.line}`];
    const file = await keys.write("keys", `${lines.join("\n")}\n`);
    await using echo = await listenEcho();
    await using program = await serve(
      await settle(
        BINARY!,
        `
node: { state: ${STATE}, domain: mesh.example.com }
listeners:
  s: { address: "127.0.0.1:0", protocols: [ssh] }
  proxy: { address: "127.0.0.1:0", protocols: [socks] }
ssh: { authorizedKeys: ["${file}"] }
admin: { address: "off" }
`,
      ),
    );
    const port = String(program.port("s"));
    const args = ({ file }: typeof key, ...more: string[]) => [
      ...[...SSH, "-i", file, "-p", port, ...more],
    ];
    const id = JSON.parse((await succeed("ssh", [...args(admin), "pi@127.0.0.1", "id", "--json"])).stdout).id;
    ok(/^[A-Z2-7]{52}$/.test(id), id);
    await using node = new Child("ssh", [
      ...args(key, "-v", "-N", "-R", `${name}:8080:127.0.0.1:${echo.port}`),
      "pi@127.0.0.1",
    ]);
    await node.line(/remote forward success/);
    await using client = await connect(program.port("proxy"));
    await socks(client, name, 8080);
    await echoes(client, "through a name");
    client.end();
    await client.readAll();
    const hybrid = new SshThread({
      port: program.port("s"),
      algorithms: ["ecdsa-sha2-nistp256"],
      hybrid: true,
    });
    await using _hybrid = hybrid;
    equal((await hybrid.next()).exchange, "mlkem768x25519-sha256");
    node.signal("SIGTERM");
    await node.exit();
    equal(await program.stop(), DONE);
  },
});
