/** Certificates from a real ACME server, by both challenges, for the program as it is run. */
import { need } from "../../scripts/clients.ts";
import { freePort, freePorts } from "../../scripts/free_ports.ts";
import { Authority } from "../support/certificates.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run } from "../support/child.ts";
import { Pebble, UNKNOWN } from "../support/pebble.ts";
import { makeKey, SSH } from "../support/ssh_gate.ts";
import { Program } from "../support/program.ts";
import { connectSecure, fingerprintOf } from "../support/tls_clients.ts";

const ignore = !need("pebble", "curl", "openssl");
const web = () =>
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("hello\n"));
const ADMIN = 'admin: { address: "127.0.0.1:0" }';

/** curl there by that name; it believes what this pebble issues. */
async function get(name: string, port: number, folder: Folder, pebble: Pebble) {
  const root = await folder.write("root.pem", await pebble.root());
  const at = ["-sS", "--connect-to", `::127.0.0.1:${port}`, "--cacert", root];
  return await run("curl", [...at, `https://${name}/`]);
}

const issued = (program: Program, name: string, from = 0): Promise<string> =>
  program.message((message) => message.startsWith(`certificate of ${name} `), from);

interface Told {
  readonly source: string;
  readonly names: readonly string[];
  readonly expires?: string;
  readonly nextAttempt?: string;
  readonly failure?: string;
}

async function certificates(program: Program): Promise<Told[]> {
  return (await (await program.admin("/status")).json()).certificates;
}

/** What is on disk, with the modes: nobody else may read it. */
function kept(state: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      const inner = `${path}/${name}`, mode = (Deno.statSync(inner).mode! & 0o777).toString(8);
      found[inner.slice(state.length + 1).replace(/-[0-9a-f]{12}/, "")] = mode;
      if (isDirectory) walk(inner);
    }
  };
  walk(state);
  return found;
}

Deno.test({
  name: "by tls-alpn-01: names are ordered, served, told of, kept, and after a restart not ordered again",
  ignore,
  async fn() {
    const [tlsPort, httpPort] = freePorts(2);
    await using pebble = await Pebble.start({ tlsPort, httpPort });
    await using plain = web();
    const to = `127.0.0.1:${plain.addr.port}`;
    const yaml = (state: string) => `
listeners: { edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls] } }
routes:
  - { host: a.example, tls: terminate, to: "${to}" }
  - { host: "*.in.example", tls: terminate, to: "${to}" }
acme: { email: me@example.com, directory: "${pebble.directory}", ca: "${pebble.ca}", names: [b.in.example] }
engine: { threads: 2 }
node: { state: "${state}" }
${ADMIN}`;
    await using folder = await Folder.make();
    const state = `${folder.path}/state`;
    {
      await using program = await Program.start(yaml(state));
      ok(/issued by 127\.0\.0\.1:\d+, until 20/.test(await issued(program, "a.example")));
      await issued(program, "b.in.example");
      for (const name of ["a.example", "b.in.example"]) {
        equal((await get(name, tlsPort, folder, pebble)).stdout, "hello\n");
      }
      const other = await get("c.in.example", tlsPort, folder, pebble);
      ok(/unrecognized name/.test(other.stderr), other.stderr);
      const told = await certificates(program);
      equal(told.map(({ source, names }) => [source, names]), [["acme", ["a.example"]], [
        "acme",
        ["b.in.example"],
      ]]);
      ok(told.every(({ expires, nextAttempt, failure }) => expires! > nextAttempt! && failure === undefined));
      const metrics = await (await program.admin("/metrics")).text();
      ok(metrics.includes('\nugate_acme_orders_total{result="issued"} 2\n'), metrics);
      const expiry = Date.parse(told[0].expires!) / 1000;
      ok(
        metrics.includes(`ugate_certificate_expiry_timestamp_seconds{name="a.example"} ${expiry}\n`),
        metrics,
      );
      const records = program.records.filter(({ outcome }) => outcome === "ok");
      ok(
        records.some((record) => JSON.stringify(record).includes('"route":"acme"')),
        "the challenge's record",
      );
      ok(!program.child.stderr.includes("PRIVATE KEY"));
      equal(await program.stop(), 0);
    }
    equal(kept(`${state}/acme`), {
      accounts: "700",
      "accounts/127.0.0.1.pem": "600",
      certificates: "700",
      "certificates/a.example.pem": "600",
      "certificates/b.in.example.pem": "600",
    });
    const orders = pebble.count(/There are now \d+ orders|Issued certificate/i);
    await using program = await Program.start(yaml(state));
    equal((await get("a.example", tlsPort, folder, pebble)).stdout, "hello\n");
    equal((await certificates(program)).filter(({ expires }) => expires).length, 2);
    equal(pebble.count(/There are now \d+ orders|Issued certificate/i), orders);
    ok(orders > 0, pebble.child.stdout);
  },
});

Deno.test({
  name: "by http-01, where no route takes plain HTTP, and where a route of HTTP takes all of it",
  ignore,
  async fn() {
    for (const route of ["", '- { listener: web, to: "http://TO" }', '- { protocol: http, to: "TO" }']) {
      const [tlsPort, httpPort] = freePorts(2);
      await using pebble = await Pebble.start({ tlsPort: freePort(), httpPort });
      await using plain = web();
      const to = `127.0.0.1:${plain.addr.port}`;
      await using program = await Program.start(`
listeners:
  edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls] }
  web: { address: "127.0.0.1:${httpPort}", protocols: [http] }
routes:
  - { listener: edge, host: a.example, tls: terminate, to: "${to}" }
  ${route.replace("TO", to)}
acme: { directory: "${pebble.directory}", ca: "${pebble.ca}" }
${ADMIN}`);
      await issued(program, "a.example");
      equal((await get("a.example", tlsPort, program.folder, pebble)).stdout, "hello\n");
    }
  },
});

Deno.test({
  name:
    "a route that handles requests gets its certificate; before 308 and without it nobody else is answered",
  ignore,
  async fn() {
    const [tlsPort, httpPort] = freePorts(2);
    await using pebble = await Pebble.start({ tlsPort: freePort(), httpPort });
    await using plain = web();
    await using program = await Program.start(`
listeners:
  edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls, http] }
  web: { address: "127.0.0.1:${httpPort}", protocols: [http] }
routes: [{ host: a.example, tls: terminate, to: "http://127.0.0.1:${plain.addr.port}" }]
acme: { directory: "${pebble.directory}", ca: "${pebble.ca}" }
${ADMIN}`);
    const early = await get("a.example", tlsPort, program.folder, pebble);
    ok(early.code === 0 || /unrecognized name/.test(early.stderr), early.stderr); // before, or just behind it
    await issued(program, "a.example");
    equal((await get("a.example", tlsPort, program.folder, pebble)).stdout, "hello\n");
    const clear = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--connect-to", `::127.0.0.1:${httpPort}`];
    const token = "http://a.example/.well-known/acme-challenge/none";
    equal((await run("curl", [...clear, token])).stdout, "308");
  },
});

Deno.test({
  name: "where one challenge does not reach the gate, the other is tried; a failing name takes no other down",
  ignore,
  async fn() {
    const [tlsPort, httpPort] = freePorts(2);
    await using pebble = await Pebble.start({ tlsPort: freePort(), httpPort });
    await using plain = web();
    const to = `127.0.0.1:${plain.addr.port}`, bad = `bad${UNKNOWN}`;
    const yaml = `
listeners:
  edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls] }
  web: { address: "127.0.0.1:${httpPort}", protocols: [http] }
routes:
  - { host: ${bad}, tls: terminate, to: "${to}" }
  - { host: good.example, tls: terminate, to: "${to}" }
acme: { directory: "${pebble.directory}", ca: "${pebble.ca}" }
${ADMIN}`;
    await using program = await Program.start(yaml);
    await program.message((message) =>
      /good\.example: tls-alpn-01: .*another challenge is tried$/.test(message)
    );
    await issued(program, "good.example");
    const failure = await program.message((message) =>
      message.includes(bad) && /again in [45] min$/.test(message)
    );
    ok(failure.startsWith(`Cannot get a certificate of ${bad}: http-01: `), failure);
    equal((await get("good.example", tlsPort, program.folder, pebble)).stdout, "hello\n");
    const refused = await get(bad, tlsPort, program.folder, pebble);
    ok(/unrecognized name/.test(refused.stderr), refused.stderr);
    const told = new Map((await certificates(program)).map((one) => [one.names[0], one]));
    const waiting = told.get(bad)!;
    ok(waiting.expires === undefined && /^http-01: /.test(waiting.failure!) && waiting.nextAttempt!);
    equal(told.get("good.example")!.failure, undefined);

    const from = program.messages.length; // the failing one goes, another comes: without a restart
    await program.configure(yaml.replaceAll(bad, "other.example"));
    await issued(program, "other.example", from);
    equal((await get("other.example", tlsPort, program.folder, pebble)).stdout, "hello\n");
    equal((await certificates(program)).map(({ names }) => names[0]), ["good.example", "other.example"]);
  },
});

Deno.test({
  name: "a certificate is renewed before it ends, without a failed handshake, and the new one is kept",
  ignore,
  async fn() {
    const [tlsPort, httpPort] = freePorts(2);
    await using pebble = await Pebble.start({ tlsPort, httpPort, validity: 20 });
    await using plain = web();
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls] } }
routes: [{ host: a.example, tls: terminate, to: "127.0.0.1:${plain.addr.port}" }]
acme: { directory: "${pebble.directory}", ca: "${pebble.ca}" }
${ADMIN}`);
    await issued(program, "a.example");
    const ca = await pebble.root(), seen = new Set<string>();
    const shake = async () => {
      await using one = await connectSecure({ port: tlsPort, servername: "a.example", ca });
      return fingerprintOf(one.socket);
    };
    const first = await shake(), file = `${program.folder.path}/state/acme/certificates/a.example.pem`;
    const before = await Deno.readTextFile(file);
    while (!program.messages.some((message) => message.startsWith("certificate of a.example renewed"))) {
      seen.add(await shake());
    }
    ok(seen.has(first) && await shake() !== first);
    await program.child.until(() => Deno.readTextFileSync(file) !== before ? true : undefined);
  },
});

Deno.test({
  name: "a name that a node registers with port 80 alone gets its certificate then, and no other name does",
  ignore: ignore || !need("ssh"),
  async fn() {
    const key = await makeKey(), [tlsPort, httpPort, sshPort] = freePorts(3);
    const PI = "pi.mesh.example.com", NAS = "nas.mesh.example.com";
    await using pebble = await Pebble.start({ tlsPort, httpPort });
    await using plain = web();
    await using folder = await Folder.make();
    const grants = [`${PI}:80`, `${NAS}:80`, `${NAS}:443`].map((place) => `permitlisten="${place}"`).join();
    await folder.write("keys", `${grants} ${key.line}\n`);
    await using program = await Program.start(`
node: { name: gate, domain: mesh.example.com, state: "${folder.path}/state" }
listeners:
  edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls, http] }
  ssh: { address: "127.0.0.1:${sshPort}", protocols: [ssh] }
ssh: { authorizedKeys: ["${folder.path}/keys"] }
acme: { directory: "${pebble.directory}", ca: "${pebble.ca}" }
engine: { threads: 2 }
${ADMIN}`);
    equal(await certificates(program), []);
    const early = await get(PI, tlsPort, folder, pebble);
    ok(early.code !== 0, early.stdout);
    const forwards = [`${PI}:80`, `${NAS}:80`, `${NAS}:443`].flatMap((
      place,
    ) => ["-R", `${place}:127.0.0.1:${plain.addr.port}`]);
    const args = [...SSH, "-i", key.file, "-p", String(sshPort), "-N", ...forwards, "pi@127.0.0.1"];
    await using _node = new Child("ssh", args);
    await issued(program, PI);
    equal((await get(PI, tlsPort, folder, pebble)).stdout, "hello\n");
    const other = await get("other.mesh.example.com", tlsPort, folder, pebble);
    ok(/unrecognized name|alert/.test(other.stderr), other.stderr);
    equal((await certificates(program)).map(({ names }) => names), [[PI]]);
  },
});

Deno.test({
  name: "an authority that is not there, or is not believed, is asked again later; another one at once",
  ignore,
  async fn() {
    const [tlsPort, httpPort, port] = freePorts(3);
    await using plain = web();
    const yaml = (directory: string, ca: string) => `
listeners: { edge: { address: "127.0.0.1:${tlsPort}", protocols: [tls] } }
routes: [{ host: a.example, tls: terminate, to: "127.0.0.1:${plain.addr.port}" }]
acme: { directory: "${directory}", ca: "${ca}" }
${ADMIN}`;
    const stranger = await Authority.make("stranger");
    await using program = await Program.start(yaml(`https://127.0.0.1:${port}/dir`, stranger.root.chainFile));
    const absent = await program.message((message) =>
      message.startsWith("Cannot get a certificate of a.example")
    );
    ok(/: .*refused.*; again in [45] min$/.test(absent), absent);
    await using pebble = await Pebble.start({ tlsPort, httpPort });
    const told = program.messages.length;
    await program.configure(yaml(pebble.directory, stranger.root.chainFile));
    const foreign = await program.message(
      (message) => message.startsWith("Cannot get a certificate of a.example"),
      told,
    );
    ok(/certificate|issuer/i.test(foreign.slice(45)), foreign);
    await program.configure(yaml(pebble.directory, pebble.ca));
    await issued(program, "a.example");
    equal((await get("a.example", tlsPort, program.folder, pebble)).stdout, "hello\n");
    equal(await program.stop(), 0);
  },
});
