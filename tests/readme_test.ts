/** Every example of README.md is served, and every line in it typed: support/readme.ts tells with which changes. */
import { need } from "../scripts/clients.ts";
import { freePorts } from "../scripts/free_ports.ts";
import { equal, ok } from "./support/assert.ts";
import { Authority } from "./support/certificates.ts";
import { run } from "./support/child.ts";
import { DnsServer, zone } from "./support/dns_server.ts";
import { ExampleWorld } from "./support/example_world.ts";
import { connect } from "./support/net.ts";
import { Pebble } from "./support/pebble.ts";
import { MAIN, Program } from "./support/program.ts";
import {
  BUILT_IN,
  type Example,
  examplesOf,
  portsOf,
  type Replacements,
  served,
  typed,
} from "./support/readme.ts";
import { withoutRecipe } from "./support/recipe.ts";
import { startMosquitto, startSshd } from "./support/servers.ts";

const ROOT = new URL("../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));
const TASKS = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).tasks;
/** The recipe about several machines is system/ssh_recipe_test.ts's. */
const EXAMPLES = examplesOf(withoutRecipe(README, "Reach a Raspberry Pi behind NAT with nothing but ssh"));
/** What an example needs, and what each of its lines prints: a pattern, with the exit code where that is not 0. */
interface Stage {
  readonly places?: Replacements;
  readonly names?: Replacements;
  /** Replaced in the lines. */
  readonly lines?: Replacements;
  readonly env?: Readonly<Record<string, string>>;
  /** What else is different where it is served. */
  readonly edit?: (served: string) => string;
  /** Waited for before the lines behind its start. */
  readonly ready?: (program: Program) => Promise<unknown>;
  readonly prints: readonly (RegExp | readonly [code: number, pattern: RegExp])[];
  /** What else the text promises. */
  readonly also?: (program: Program) => Promise<void>;
}

const STAGES: Readonly<Record<string, (world: ExampleWorld) => Stage | Promise<Stage>>> = {
  [BUILT_IN]: (world) => ({
    names: { "example.com": world.https("example"), "example.org": world.http("plain") },
    prints: [/I am example/, /I am example/, /I am plain/, /I am example/, /"listener": "local"/],
  }),

  async "edge.yaml"(world) {
    const ssh = world.use(await startSshd(world.folder)),
      mqtt = world.use(await startMosquitto(world.folder));
    return {
      places: {
        "127.0.0.1:2525": await world.greeter("220 hello\r\n"),
        "10.0.0.5:8443": world.https("git"),
        "10.0.0.6:443": world.https("shop"),
        "10.0.0.7:443": world.https("shop"),
        "127.0.0.1:22": `127.0.0.1:${ssh.port}`,
        "10.0.0.8:1883": `127.0.0.1:${mqtt.port}`,
      },
      lines: { "ssh -p": `ssh ${ssh.args.join(" ")} -p` },
      prints: [
        ...[/I am git/, /I am shop/, /^uid=/, /^$/],
        ...[/^ok: edge\.yaml$/m, /goes to 10\.0\.0\.5:8443/, /goes to 127\.0\.0\.1:22/, /^$/],
      ],
      async also(program) {
        await using silent = await connect(program.port("edge"));
        equal(new TextDecoder().decode(await silent.read(11)), "220 hello\r\n");
        ok(
          JSON.parse(await Deno.readTextFile(`${world.folder.path}/ugate.schema.json`)).properties.listeners,
        );
      },
    };
  },

  async "https.yaml"(world) {
    const [httpPort, tlsPort] = freePorts(2);
    const pebble = world.use(await Pebble.start({ httpPort, tlsPort }));
    const root = await world.folder.write("pebble.pem", await pebble.root());
    const issued = (name: string) => (message: string) =>
      message.startsWith(`certificate of ${name} issued by`);
    return {
      places: {
        "http://10.0.0.6:80": `http://${world.http("wiki")}`,
        "http://10.0.0.7:3000": `http://${world.http("git")}`,
      },
      env: { CURL_CA_BUNDLE: root },
      // An authority on this machine in place of Let's Encrypt, which asks at the ports that are known to it.
      edit: (served) =>
        served.replace('web: { address: ":0"', `web: { address: "127.0.0.1:${httpPort}"`)
          .replace('edge: { address: ":0"', `edge: { address: "127.0.0.1:${tlsPort}"`)
          .replace("acme: { ", `acme: { directory: "${pebble.directory}", ca: "${pebble.ca}", `),
      ready: (program) =>
        Promise.all(["wiki.example.com", "git.example.com"].map((name) => program.message(issued(name)))),
      prints: [
        /^TLS of wiki\.example\.com ends here, with one that acme-v02\.api\.letsencrypt\.org issues: /m,
        ...[/^git\.example\.com +\d{4}-\d\d-\d\d +\d+d\d\dh +acme/m, /I am wiki/],
        /^HTTP\/1\.1 308 [^]*^Location: https:\/\/git\.example\.com/mi,
      ],
    };
  },

  async "tls.yaml"(world) {
    const ssh = world.use(await startSshd(world.folder));
    const office = await Authority.make("office"), me = await office.issue(["me.example"]);
    const roots = await world.folder.write("office.pem", office.root.chain);
    await world.folder.write("me.pem", me.chain);
    await world.folder.write("me.key", me.key);
    return {
      places: {
        "office.pem": roots,
        "cert.pem": `${world.folder.path}/cert.pem`,
        "key.pem": `${world.folder.path}/key.pem`,
        "10.0.0.5:8443": world.https("git"),
        "10.0.0.6:80": world.http("wiki"),
        "127.0.0.1:22": `127.0.0.1:${ssh.port}`,
      },
      lines: { "ssh -p": `ssh ${ssh.args.join(" ")} -p` },
      prints: [
        ...[/^TLS of wiki\.example\.com ends here, with \S+cert\.pem: 10\.0\.0\.6:80$/m],
        ...[/I am git/, /I am wiki/, /I am wiki/, [56, /certificate required/] as const, /^uid=/],
        /TLS ends here, with tls\.yaml:/,
      ],
    };
  },

  "forward.yaml": (world) => ({
    places: {
      "unix:/run/app.sock": world.unix("app"),
      "10.0.0.6:80": "127.0.0.1:1", // nobody listens: the other one is dialed
      "10.0.0.7:80": world.http("web"),
    },
    prints: [/I am app/, /I am web/],
  }),

  "proxy.yaml": (world) => ({
    places: { "10.20.0.0/16": "127.0.0.2/32" },
    names: {
      "www.example.com": world.https("www"),
      "wiki.example.com": world.https("wiki", "127.0.0.2"),
    },
    prints: [/^scrypt:/, /I am www/, /I am wiki/, [56, /403/]],
  }),

  async "chain.yaml"(world) {
    const above = world.use(
      await Program.start(`
listeners:
  tor: { address: "127.0.0.1:0", protocols: [socks] }
  corp: { address: "127.0.0.1:0", protocols: [connect], users: { me: secret } }
hosts:
  service.onion: { addresses: ["${world.https("onion")}"] }
  git.corp.example: { addresses: ["${world.https("git")}"] }
admin: { address: "off" }
`),
    );
    return {
      places: {
        "127.0.0.1:9050": `127.0.0.1:${above.port("tor")}`,
        "10.0.0.9:3128": `127.0.0.1:${above.port("corp")}`,
      },
      prints: [/I am onion/, /I am git/],
      async also() {
        equal((await above.record(({ listener }) => listener === "corp")).user, "me");
      },
    };
  },

  async "behind.yaml"(world) {
    const sources: string[] = [];
    return {
      places: {
        "10.0.0.0/8": "127.0.0.0/8",
        "127.0.0.1:8443": await world.behindProxyHeader(world.https("app"), (source) => sources.push(source)),
      },
      prints: [/I am app/],
      also: () => Promise.resolve(equal(sources, ["127.0.0.1"])),
    };
  },

  async "names.yaml"(world) {
    const records = [{ name: "wiki.corp.example", type: "A", data: "127.0.0.1" }];
    const server = world.use(await DnsServer.start(zone(records, { ttl: 60, minimum: 60 })));
    return {
      places: {
        "10.0.0.6:8443": world.https("api"),
        "10.0.0.7:8443": world.https("api"),
        "10.0.0.53:53": `127.0.0.1:${server.target.port}`,
      },
      lines: { "wiki:8080": `wiki:${world.http("wiki").split(":")[1]}` },
      prints: [/I am api/, /I am wiki/],
    };
  },

  "limits.yaml": () => ({ prints: [/"connections": 0/, /^ok$/m] }),

  async "operate.yaml"(world) {
    const web = world.http("web");
    const other = `listeners: { web: { address: ":0", to: "${web}" }, more: { address: ":0", to: "${web}" } }
admin: { address: "127.0.0.1:0", metrics: ":0" }
`;
    const file = await world.folder.write("new.yaml", other);
    return {
      places: { "10.0.0.6:80": web },
      prints: [
        ...[/^web +:\d+ +tcp/m, /"connections": \[\]/, /^ugate_connections_active\{listener="web"\} 0$/m],
        ...[/^unchanged/m, /more/, /confirmed/],
      ],
      also: async (program) => {
        equal(await Deno.readTextFile(`${program.folder.path}/ugate.yaml`), await Deno.readTextFile(file));
      },
    };
  },
};

/** Where the lines are typed: the files of the text as they stand there, and `ugate` as its alias says. */
async function readersFolder(world: ExampleWorld): Promise<Record<string, string>> {
  const { folder } = world, bin = `${folder.path}/bin`;
  for (const { name, yaml } of EXAMPLES) await folder.write(name, yaml);
  await folder.write("password.txt", "a password of mine\n");
  await Deno.mkdir(bin);
  await folder.write("bin/ugate", `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${MAIN}' "$@"\n`, 0o755);
  return { PATH: `${bin}:${Deno.env.get("PATH")}`, CURL_CA_BUNDLE: `${folder.path}/cert.pem` };
}

const TASK = /^npx -y deno@2\.9\.6 task (\w+)$/;
const ALIAS = 'alias ugate="npx -y deno@2.9.6 run -A $PWD/main.ts"';
const RUN = /^((?:\w+=\S+ )*)ugate run -c (\S+)$/;

async function play({ name, yaml, lines }: Example, stage: Stage, world: ExampleWorld): Promise<void> {
  const env = await readersFolder(world), prints = [...stage.prints];
  const { edit = (text) => text, ready } = stage;
  const start = async (assignments: string) => {
    const given = Object.fromEntries(assignments.split(" ").filter(Boolean).map((each) => each.split("=")));
    return world.use(
      await Program.start(edit(served(yaml, stage.places ?? {}, stage.names ?? {})), { env: given }),
    );
  };
  let program: Program | undefined, ports = new Map<number, number>();
  for (const line of lines) {
    const task = TASK.exec(line)?.[1], running = RUN.exec(line);
    if (task) ok(TASKS[task], `no task ${task}`);
    if (running) equal(running[2], name);
    if (running || task === "run") {
      program = await start(running?.[1] ?? "");
      await ready?.(program);
      ports = portsOf(yaml, program);
      env.UGATE_ADMIN = program.addresses("admin")[0];
    }
    if (running || task || line === ALIAS) continue;
    const [code, pattern] = [prints.shift() ?? /(?!)/].map((each) =>
      "source" in each ? [0, each] as const : each
    )[0];
    const options = { env: { ...env, ...stage.env }, cwd: world.folder.path };

    const said = await run("sh", ["-c", "exec " + typed(line, ports, stage.lines ?? {})], options);
    const words = `${line}\n${said.stdout}${said.stderr}`;
    equal(said.code, code, words);
    ok(pattern.test(said.stdout) || pattern.test(said.stderr), `expected ${pattern} of ${words}`);
  }
  equal(prints, []);
  ok(program, `${name} is never served`);
  await stage.also?.(program);
}

for (const example of EXAMPLES) {
  Deno.test({
    name: `README.md: ${example.name} is served, and what the text types beside it works`,
    ignore: !need("curl", "openssl", "sshd", "ssh-keygen", "mosquitto", "mosquitto_pub", "pebble"),
    async fn() {
      await using world = await ExampleWorld.make();
      await play(example, await STAGES[example.name](world), world);
    },
  });
}

Deno.test("every example of README.md has a stage, and every stage an example", () => {
  equal(EXAMPLES.map(({ name }) => name), Object.keys(STAGES));
});
