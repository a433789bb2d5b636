/** A gate that is asked everything a client of SSH can ask for, by OpenSSH's, under rules that come and go. */
import { Refusal } from "../../protocols/ssh/keys/fields.ts";
import { keyId, readPublicKey } from "../../protocols/ssh/keys/public_key.ts";
import { freePorts } from "../../scripts/free_ports.ts";
import { Child, Folder, run, succeed } from "./child.ts";
import { startGate, type TestGate } from "./gate.ts";
import { type Client, connect, connectUnix, listen, listenEcho, type TestServer } from "./net.ts";
import { DOMAIN, makeKey, SshGate } from "./ssh_gate.ts";
import type { MadeKey } from "./ssh_keygen.ts";
import { SSH } from "./ssh_login.ts";

/** What -L leads to: a plain host, a name of the mesh, a host behind a further gate, a path. */
const OPENS = ["host", "mesh", "gate", "path"] as const;
/** What -R asks for: own names, another's, a socket on loopback, one beyond it, a path. */
const OFFERS = ["own", "another", "loopback", "beyond", "bind"] as const;
/** `session` is what everybody may run, `verb` what admins may. */
export type Verb = typeof OPENS[number] | typeof OFFERS[number] | "login" | "session" | "verb";

/** The name of another key; a host behind the further gate. */
const NODE = `pi.${DOMAIN}`, FAR = "far.test", NODE_PORT = 8080;

/** How somebody logs in. */
export interface Entrance {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
}

export interface RightsOptions {
  /** Of authorized_keys. */
  readonly lines?: readonly string[];
  /** Of `ssh`, besides. */
  readonly ssh?: string;
  /** Other sections. */
  readonly more?: string;
}

/** Ports that nobody listens on yet: what lines permit is spelled with them. */
export const [LOOPBACK, BEYOND] = freePorts(2);

export function idOf({ blob }: MadeKey): string {
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw key;
  return `key:${keyId(key)}`;
}

/** What everything leads to in the end. */
interface Places {
  readonly folder: Folder;
  readonly echo: TestServer;
  /** The gate that FAR is behind. */
  readonly further: SshGate;
  /** Whose node NODE is, and who logs in there. */
  readonly own: MadeKey;
}

export class RightsWorld implements AsyncDisposable {
  #visits = 0;

  private constructor(
    readonly gate: TestGate,
    readonly places: Places,
    readonly options: RightsOptions,
    readonly stack: AsyncDisposableStack,
  ) {}

  static async start(options: RightsOptions): Promise<RightsWorld> {
    const stack = new AsyncDisposableStack(), own = await makeKey();
    const folder = stack.use(await Folder.make()), echo = stack.use(await listenEcho());
    stack.use(await listen((socket) => socket.pipe(socket), `${folder.path}/far`));
    const hosts = `hosts: { ${FAR}: { addresses: ["127.0.0.1"] } }`;
    const further = stack.use(await SshGate.start({ lines: [own.line], more: hosts }));
    const known = await succeed("ssh-keyscan", ["-p", String(further.port), "127.0.0.1"]);
    await folder.write("known", known.stdout);
    const granted = `permitlisten="${NODE}:${NODE_PORT}" ${own.line}`;
    await folder.write("keys", [...options.lines ?? [], granted].map((line) => `${line}\n`).join(""));
    const places = { folder, echo, further, own };
    const gate = stack.use(await startGate(textOf(places, options, [])));
    const world = new RightsWorld(gate, places, options, stack);
    const node = ["-R", `${NODE}:${NODE_PORT}:127.0.0.1:${echo.port}`, "-i", own.file];
    const child = stack.use(new Child("ssh", [...SSH, ...node, "-N", ...world.#at]));
    await child.line(/remote forward success/);
    return world;
  }

  /** These rules hold from now on. */
  async judge(...policy: readonly string[]): Promise<void> {
    const { problems } = await this.gate.reload(textOf(this.places, this.options, policy));
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  /** Rules by which this identity gets everywhere. */
  everything(identity: string): string[] {
    const { folder: { path }, echo } = this.places;
    return [
      `addresses: ["127.0.0.0/8"], ports: [${echo.port}]`,
      `addresses: ["unix:${path}/far", "unix:${path}/near"]`,
      `hosts: [${NODE}, ${FAR}]`,
    ].map((what) => `{ allow: { protocol: ssh, identity: "${identity}", ${what} } }`);
  }

  /** Logs in and asks for everything; undefined: he is not let in. */
  async visit(entrance: Entrance): Promise<Visit | undefined> {
    const { folder: { path }, echo: { port } } = this.places, number = ++this.#visits;
    const [host, mesh, gate] = freePorts(3), local = { host, mesh, gate, path: `${path}/local${number}` };
    const control = `${path}/control${number}`;
    const forwards = [
      ...["-L", `${host}:127.0.0.1:${port}`, "-L", `${mesh}:${NODE}:${NODE_PORT}`],
      ...["-L", `${gate}:${FAR}:${port}`, "-L", `${local.path}:${path}/far`],
      ...["-R", `localhost:443:127.0.0.1:${port}`, "-R", `${NODE}:80:127.0.0.1:${port}`],
      ...["-R", `localhost:${LOOPBACK}:127.0.0.1:${port}`, "-R", `0.0.0.0:${BEYOND}:127.0.0.1:${port}`],
      ...["-R", `${path}/near:${path}/far`],
    ];
    const args = [...SSH, ...entrance.args, "-M", "-S", control, "-N", ...forwards, ...this.#at];
    const child = new Child("ssh", args, { env: { LC_ALL: "C", ...entrance.env } });
    const visit = new Visit(child, control, local, `${path}/near`);
    if (await visit.begin()) return visit;
    await visit[Symbol.asyncDispose]();
    return undefined;
  }

  get #at(): string[] {
    return ["-p", String(this.gate.port("s")), "pi@127.0.0.1"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/** Somebody who has logged in, and stays. */
export class Visit implements AsyncDisposable {
  readonly granted = new Set<Verb>(["login"]);
  /** Where he got to, and goes on. */
  readonly there = new Map<Verb, Client>();

  constructor(
    readonly child: Child,
    readonly control: string,
    readonly local: Readonly<Record<typeof OPENS[number], string | number>>,
    readonly near: string,
  ) {}

  /** Whether he is in; then all is asked for. */
  async begin(): Promise<boolean> {
    const { child, granted } = this;
    const came = await child.line(/Entering interactive session|Permission denied/);
    if (came[0] === "Permission denied") return false;
    for (const verb of await this.#offers()) granted.add(verb);
    for (const verb of [...OPENS, ...granted.has("bind") ? ["bind" as const] : []]) {
      const client = await this.reach(verb);
      if (client) this.there.set(verb, client);
      if (client) granted.add(verb);
      else granted.delete(verb);
    }
    if (await this.#runs("help")) granted.add("session");
    if (await this.#runs("version")) granted.add("verb");
    return true;
  }

  /** There, where something comes back. */
  async reach(verb: typeof OPENS[number] | "bind"): Promise<Client | undefined> {
    const at = verb === "bind" ? this.near : this.local[verb];
    const connecting = typeof at === "number" ? connect(at) : connectUnix(at);
    const client = await connecting.catch(() => undefined); // his own client may be gone
    if (!client) return undefined;
    const back = await client.write("a").then(() => client.read(1)).catch(() => undefined);
    if (back) return client;
    await client[Symbol.asyncDispose]();
    return undefined;
  }

  /** Where he would get to now of what he got to. */
  async #offers(): Promise<Verb[]> {
    const spelled = ["443", "80", String(LOOPBACK), String(BEYOND), this.near];
    const answer = /remote forward (\w+) for: listen (?:\S+:)?(\d+|\/\S+?)(?::-\d+)?,/g;
    const answers = await this.child.until(() => {
      const all = [...this.child.stderr.matchAll(answer)];
      return all.length >= spelled.length ? all : undefined;
    });
    const granted = answers.filter(([, what]) => what === "success").map(([, , where]) => where);
    return OFFERS.filter((_, i) => granted.includes(spelled[i]));
  }

  /** Over the same connection. */
  async #runs(command: string): Promise<boolean> {
    const args = ["-F", "none", "-S", this.control, "-o", "ProxyCommand=false", "pi@127.0.0.1", command];
    return (await run("ssh", args, { most: 10_000 })).code === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.there.values()) await client[Symbol.asyncDispose]();
    await this.child[Symbol.asyncDispose]();
  }
}

function textOf(
  { folder: { path }, further, own }: Places,
  { ssh = "", more = "" }: RightsOptions,
  policy: readonly string[],
): string {
  const keys = `authorizedKeys: ["${path}/keys"], identities: ["${own.file}"], knownHosts: ["${path}/known"]`;
  return [
    `node: { name: gate, state: "${path}/state", domain: ${DOMAIN} }`,
    `listeners: { s: { address: ":0", protocols: [ssh] } }`, // beyond loopback: nothing that no rule allows
    `hosts: { ${FAR}: { via: "127.0.0.1:${further.port}", layers: [ssh] } }`,
    `ssh: { ${keys}${ssh && `, ${ssh}`} }`,
    `policy: [${policy.join(", ")}]`,
    more,
  ].join("\n");
}
