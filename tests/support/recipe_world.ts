/**
 * The machines of README.md's recipe, with the names, ports, users and files that a reader has: a gate and a laptop on a
 * small internet, a Pi behind NAT. Each is a network namespace with mounts of its own, in which root has the user's name
 * and home, and /etc/hosts says what the DNS would.
 */
import { Child, Folder, type Output, run, succeed } from "./child.ts";
import { GATE, Internet } from "./nat.ts";
import { MAIN } from "./program.ts";
import type { Machine } from "./recipe.ts";
import { Keygen, type MadeKey } from "./ssh_keygen.ts";

const USERS: Readonly<Record<Machine, string>> = { gate: "ugate", pi: "pi", client: "me" };
const NAMES = ["gate.example.com", "gate.mesh.example.com", "pi.mesh.example.com"];
export const SITE = "I am the Pi";

export class RecipeWorld extends AsyncDisposableStack {
  private constructor(
    readonly internet: Internet,
    readonly folder: Folder,
    readonly keys: Readonly<Record<"pi" | "me" | "sshd", MadeKey>>,
  ) {
    super();
    this.use(folder);
    this.use(internet);
  }

  static async make(): Promise<RecipeWorld> {
    const keygen = await Keygen.make(), key = () => keygen.key("-t ed25519");
    const keys = { pi: await key(), me: await key(), sshd: await key() };
    const world = new RecipeWorld(await Internet.start(), await Folder.make(), keys);
    try {
      await world.#furnish();
      return world;
    } catch (thrown) {
      await world.disposeAsync();
      throw thrown;
    }
  }

  home(machine: Machine): string {
    return `${this.folder.path}/${machine}`;
  }

  /** A file in the user's home there. */
  async write(machine: Machine, name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.home(machine)}/${name}`, text, { mode: 0o600 });
  }

  /** What somebody types there, to its end. */
  type(machine: Machine, line: string, stdin?: string): Promise<Output> {
    const [enter, ...args] = this.#shell(machine, line);
    return run(enter, args, { env: this.#env(machine), most: 30_000, stdin });
  }

  /** What stays there. */
  stay(machine: Machine, line: string): Child {
    const [enter, ...args] = this.#shell(machine, `exec ${line}`);
    return this.use(new Child(enter, args, { env: this.#env(machine) }));
  }

  /** Whoever logs in to the gate believes its key, as if he had compared it once. */
  async believe(hostKey: string): Promise<void> {
    const gates = NAMES.slice(0, 2).flatMap((name) => [`[${name}]:443`, name]); // dropbear's have no port
    const [type, blob] = this.keys.sshd.line.split(" ");
    const lines = [...gates.map((name) => `${name} ${hostKey}`), `${NAMES[2]} ${type} ${blob}`];
    const known = lines.map((line) => `${line}\n`).join("");
    for (const machine of ["pi", "client"] as const) await this.write(machine, ".ssh/known_hosts", known);
  }

  #shell(machine: Machine, line: string): string[] {
    return [...this.internet.inside(machine), "sh", "-c", `cd '${this.home(machine)}' && ${line}`];
  }

  #env(machine: Machine): Record<string, string> {
    return {
      HOME: this.home(machine),
      PATH: `${this.folder.path}/bin:${Deno.env.get("PATH")}`,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      CURL_CA_BUNDLE: `${this.home("gate")}/mesh.pem`,
      SSH_AUTH_SOCK: "",
    };
  }

  async #furnish(): Promise<void> {
    const { folder, keys } = this;
    await Deno.mkdir(`${folder.path}/bin`);
    const program = `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${MAIN}' "$@"\n`;
    await folder.write("bin/ugate", program, 0o755);
    await folder.write("hosts", `127.0.0.1 localhost\n${GATE} ${NAMES.join(" ")}\n`);
    for (const machine of ["gate", "pi", "client"] as const) await this.#settle(machine);
    await Deno.copyFile(keys.pi.file, `${this.home("pi")}/.ssh/id_ed25519`);
    await Deno.copyFile(keys.me.file, `${this.home("client")}/.ssh/id_ed25519`);
    await this.write("pi", ".ssh/authorized_keys", `${keys.me.line}\n`);
    await this.write("pi", "index.html", `${SITE}\n`);
    await succeed("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mesh".split(" "),
      ...["-addext", "subjectAltName=DNS:*.mesh.example.com"],
      ...["-keyout", `${this.home("gate")}/mesh.key`, "-out", `${this.home("gate")}/mesh.pem`],
    ]);
    await this.#servePi();
  }

  /** The user has a home; what programs keep is kept in it. */
  async #settle(machine: Machine): Promise<void> {
    const home = this.home(machine), passwd = `${home}/passwd`;
    await Deno.mkdir(`${home}/.ssh`, { recursive: true, mode: 0o700 });
    await Deno.mkdir(`${home}/lib`);
    const others = await Deno.readTextFile("/etc/passwd");
    await Deno.writeTextFile(passwd, `${USERS[machine]}:x:0:0::${home}:/bin/sh\n${others}`);
    const mounts = [[`${this.folder.path}/hosts`, "/etc/hosts"], [passwd, "/etc/passwd"], [
      `${home}/lib`,
      "/var/lib",
    ]];
    for (const [from, to] of mounts) {
      const [enter, ...args] = this.internet.inside(machine);
      await succeed(enter, [...args, "mount", "--bind", from, to]);
    }
  }

  /** Its web server, and its own sshd. */
  async #servePi(): Promise<void> {
    await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
    const web = this.stay("pi", "python3 -u -m http.server 80");
    const options = [`HostKey=${this.keys.sshd.file}`, "PidFile=none", "StrictModes=no", "UsePAM=no"];
    const sshd = this.stay(
      "pi",
      `/usr/sbin/sshd -D -e -f /dev/null ${options.map((option) => `-o ${option}`).join(" ")}`,
    );
    await web.line(/^Serving/m);
    await sshd.line(/Server listening/);
  }
}
