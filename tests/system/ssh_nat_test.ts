/** The whole scene: a gate on the internet, a Pi behind a router that masquerades, and clients that reach it by name. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, type Output, run } from "../support/child.ts";
import { canRoute, GATE, Internet } from "../support/nat.ts";
import { Program } from "../support/program.ts";
import { certificate } from "../support/servers.ts";
import { Keygen, type MadeKey } from "../support/ssh_keygen.ts";

const isPossible = await canRoute() && need("ssh", "sshd", "ssh-keygen", "curl", "python3", "openssl");
const NAME = "pi.mesh.example.com";
/** How long traffic may take to come back, ms: connections are given up and begun anew meanwhile. */
const PATIENCE = 60_000;

/** A site in clear and one in TLS, on the Pi's loopback. */
const SITES = `
import http.server, ssl, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = ("I am the Pi, by " + self.headers["Host"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
clear = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler)
secure = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=clear.serve_forever, daemon=True).start()
print("serving", flush=True)
secure.serve_forever()
`;

/** Who is in it: keys, the files that name them, and programs on every machine. */
class Scene implements AsyncDisposable {
  gate!: Program;
  loop!: Child;
  readonly #stack = new AsyncDisposableStack();

  private constructor(
    readonly internet: Internet,
    readonly folder: Folder,
    readonly keys: Readonly<Record<"pi" | "client" | "sshd", MadeKey>>,
  ) {}

  static async open(): Promise<Scene> {
    const keygen = await Keygen.make(), key = () => keygen.key("-t ed25519");
    const keys = { pi: await key(), client: await key(), sshd: await key() };
    const scene = new Scene(await Internet.start(), await Folder.make(), keys);
    scene.#stack.use(scene.folder);
    scene.#stack.use(scene.internet);
    try {
      await scene.#furnish();
      return scene;
    } catch (thrown) {
      await scene[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  async startGate(): Promise<void> {
    this.gate = await Program.start(
      `
node: { name: gate, domain: mesh.example.com, state: ${this.folder.path}/state }
listeners:
  edge: { address: "${GATE}:443", protocols: [ssh, tls, http] }
ssh: { authorizedKeys: [ ${this.folder.path}/authorized_keys ] }
policy:
  - allow: { protocol: ssh, identity: any, hosts: "*.mesh.example.com" }
`,
      { before: this.internet.on("gate") },
    );
  }

  /** As a client on the internet. */
  async client(program: string, ...args: string[]): Promise<Output> {
    const [enter, ...before] = this.internet.on("client");
    return await run(enter, [...before, program, ...args], { most: 20_000 });
  }

  curl(...args: string[]): Promise<Output> {
    const to = ["443", "80"].flatMap((port) => ["--connect-to", `${NAME}:${port}:${GATE}:443`]);
    return this.client("curl", "-sS", "--max-time", "5", "--cacert", this.cert, ...to, ...args);
  }

  get cert(): string {
    return `${this.folder.path}/${NAME}.crt`;
  }

  /** What answers by name, now or when the Pi is back. */
  async reached(): Promise<string> {
    const late = performance.now() + PATIENCE;
    for (;;) {
      const { stdout, stderr } = await this.curl(`https://${NAME}/`);
      if (stdout !== "") return stdout;
      if (performance.now() > late) {
        throw new Error(`nobody answers:\n${stderr}\n${this.gate.child.stderr}\n${this.loop.stderr}`);
      }
      await new Promise((rested) => setTimeout(rested, 200));
    }
  }

  /** ssh's options that log in as `who`. */
  options(who: "pi" | "client"): string[] {
    const named = [
      ...["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=4"],
      ...[`UserKnownHostsFile=${this.folder.path}/known_hosts`, "LogLevel=ERROR"],
    ];
    return ["-F", "/dev/null", "-i", this.keys[who].file, ...named.flatMap((option) => ["-o", option])];
  }

  async #furnish(): Promise<void> {
    const { folder, keys } = this, grants = [22, 80, 443].map((port) => `permitlisten="${NAME}:${port}"`);
    await folder.write("authorized_keys", `${grants.join(",")} ${keys.pi.line}\n${keys.client.line}\n`);
    await this.#startPi();
    await this.startGate();
    const { stdout } = await run(Deno.execPath(), [
      ...["run", "-A", new URL("../../main.ts", import.meta.url).pathname],
      ...["id", "--json", "-c", `${this.gate.folder.path}/ugate.yaml`],
    ]);
    const [, ...hostKey] = JSON.parse(stdout).knownHosts.split(" ");
    const sshd = keys.sshd.line.split(" ").slice(0, 2).join(" ");
    await folder.write("known_hosts", `[${GATE}]:443 ${hostKey.join(" ")}\n${NAME} ${sshd}\n`);
  }

  async #startPi(): Promise<void> {
    const { folder, keys } = this, [enter, ...before] = this.internet.on("pi");
    const files = await certificate(folder, NAME);
    const sites = new Child(enter, [...before, "python3", "-c", SITES, files.cert, files.key]);
    this.#stack.use(sites);
    await sites.line(/^serving$/m);
    const users = await folder.write("users", `${keys.client.line}\n`);
    if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
    const options = [
      ...["ListenAddress=127.0.0.1:22", `HostKey=${keys.sshd.file}`, `AuthorizedKeysFile=${users}`],
      ...["PidFile=none", "StrictModes=no", "UsePAM=no", "PermitRootLogin=prohibit-password"],
    ];
    const sshd = ["-D", "-e", "-f", "/dev/null", ...options.flatMap((option) => ["-o", option])];
    const child = new Child(enter, [...before, "/usr/sbin/sshd", ...sshd]);
    this.#stack.use(child);
    await child.line(/Server listening/);
  }

  /** What a Pi's owner puts into a unit: ssh, and again when it ends. */
  keepPiConnected(): void {
    const ports = [["443", "8443"], ["80", "8080"], ["22", "22"]];
    const command = [
      ...["ssh", "-N", ...this.options("pi"), "-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2"],
      ...["-o", "ExitOnForwardFailure=yes", "-p", "443"],
      ...ports.flatMap(([port, own]) => ["-R", `${NAME}:${port}:127.0.0.1:${own}`]),
      `pi@${GATE}`,
    ];
    const [enter, ...before] = this.internet.on("pi");
    const loop = 'while :; do "$@" & wait $!; sleep 1; done';
    const child = this.loop = new Child(enter, [
      ...before,
      "sh",
      "-c",
      `trap 'kill $!; exit' TERM; ${loop}`,
      "sh",
      ...command,
    ]);
    this.#stack.use(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
    await this.gate?.[Symbol.asyncDispose]();
  }
}

Deno.test({
  name:
    "a Pi behind NAT with nothing but ssh is reached by name, and again after everything that can happen to it",
  ignore: !isPossible,
  async fn(t) {
    await using scene = await Scene.open();
    await t.step("before it connects, its name is nobody's", async () => {
      equal((await scene.curl(`https://${NAME}/`)).stdout, "");
    });
    scene.keepPiConnected();
    await t.step("by SNI, in TLS that ends on the Pi", async () => {
      equal(await scene.reached(), `I am the Pi, by ${NAME}`);
    });
    await t.step("by Host, in clear", async () => {
      equal((await scene.curl(`http://${NAME}/`)).stdout, `I am the Pi, by ${NAME}`);
    });
    await t.step("by ssh -J, to its own sshd", async () => {
      const jump = ["ssh", ...scene.options("client"), "-p", "443", "-W", "%h:%p", `client@${GATE}`].join(
        " ",
      );
      const { stdout, stderr } = await scene.client(
        ...["ssh", ...scene.options("client"), "-o", `ProxyCommand=${jump}`] as const,
        ...[`root@${NAME}`, "echo", "it", "is", "me"],
      );
      equal(stdout, "it is me\n", stderr);
    });
    await t.step("another SNI and another Host are closed", async () => {
      const other = ["--connect-to", `other.mesh.example.com:443:${GATE}:443`];
      ok((await scene.client("curl", "-sSk", ...other, "https://other.mesh.example.com/")).code !== 0);
    });
    await t.step("the gate is started again", async () => {
      equal(await scene.gate.stop(), 0);
      await scene.gate[Symbol.asyncDispose]();
      await scene.startGate();
      equal(await scene.reached(), `I am the Pi, by ${NAME}`);
    });
    await t.step("the link is silent for a while", async () => {
      await scene.internet.drop();
      await new Promise((passed) => setTimeout(passed, 8000));
      equal((await scene.curl(`https://${NAME}/`)).stdout, "");
      await scene.internet.pass();
      equal(await scene.reached(), `I am the Pi, by ${NAME}`);
    });
    await t.step("the Pi has another address", async () => {
      await scene.internet.move();
      equal(await scene.reached(), `I am the Pi, by ${NAME}`);
    });
  },
});
