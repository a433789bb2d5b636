/** The command line, as a shell sees it: what goes where, and the promise of exit codes. */
import { parseHash } from "../gate/password_hash.ts";
import { verifyHash } from "../gate/passwords.ts";
import { equal, ok } from "./support/assert.ts";
import { Folder } from "./support/child.ts";
import { ugate } from "./support/program.ts";

const VERBS = [
  "run",
  "status",
  "connections",
  "top",
  "reload",
  "confirm",
  "check",
  "schema",
  "hash",
  "explain",
  "completion",
  "version",
  "help",
];
const EDGE = `
listeners:
  edge: { address: ":8443", protocols: [tls, ssh], fallback: "127.0.0.1:9000" }
  local: { address: "127.0.0.1:15080", protocols: [socks] }
routes:
  - { host: git.example.com, to: "10.0.0.5:8443" }
  - { protocol: ssh, to: "127.0.0.1:22" }
hosts:
  db.example: { addresses: ["10.0.0.7"] }
discovery: [file]
`;

/** Another verb, with this text as its configuration. */
async function withFile(yaml: string, args: readonly string[], env: Record<string, string> = {}) {
  await using folder = await Folder.make();
  const [verb, ...rest] = args;
  return await ugate([verb, "-c", await folder.write("edge.yaml", yaml), ...rest], { env, cwd: folder.path });
}

Deno.test("help names every verb and goes to stdout, with exit code 0", async () => {
  for (const args of [["--help"], ["help"]]) {
    const { code, stdout, stderr } = await ugate(args);
    equal([code, stderr], [0, ""]);
    for (const verb of VERBS) ok(new RegExp(`^ {2}${verb}\\b`, "m").test(stdout), `no ${verb} in\n${stdout}`);
  }
  const { code, stdout } = await ugate(["explain", "--help"]);
  equal(code, 0);
  for (const option of ["config", "hex", "listener", "from", "user", "sni", "json"]) {
    ok(stdout.includes(`--${option}`), stdout);
  }
});

const misuses: [args: string[], says: RegExp][] = [
  [[], /^Usage: ugate/],
  [["rnu"], /unknown command 'rnu'\n\(Did you mean run\?\)/],
  [["run", "--confg", "x"], /unknown option '--confg'\n\(Did you mean --config\?\)/],
  [["run", "ugate.yaml"], /too many arguments for 'run': ugate\.yaml\n\(Did you mean -c ugate\.yaml\?\)/],
  [["check", "my conf"], /\(Did you mean -c my conf\?\)/],
  [
    ["reload", "new.yaml"],
    /its own file again: -c new\.yaml is the gate that has it, --confirm 60s new\.yaml tries/,
  ],
  [["reload", "--confirm", "60s"], /--confirm needs the FILE to try/],
  [["reload", "--confirm", "soon", "new.yaml"], /'soon' is invalid\. Expected a duration such as/],
  [["reload", "a", "b"], /too many arguments/],
  [["status", "now"], /too many arguments/],
  [
    ["status", "--admin", "nowhere"],
    /--admin <address>' argument 'nowhere' is invalid\. Expected an address/,
  ],
  [["connections", "--sort", "name"], /Allowed choices are up, down, age, rate/],
  [["connections", "--most", "0"], /Expected a count from 1/],
  [["connections", "--watch", "never"], /Expected seconds from 0\.1/],
  [["top", "--once", "x"], /too many arguments/],
  [["completion"], /missing required argument 'shell'/],
  [["check", "-c"], /argument missing/],
  [["explain"], /expected TARGET, or --hex BYTES, or --sni NAME/],
  [["explain", "example.com"], /expected host:port, or for a request a URL .*, got "example\.com"/],
  [["explain", "--hex", "5x"], /expected pairs of hex digits/],
  [["explain", "a.example:1", "--from", "nowhere"], /expected an IP address, got "nowhere"/],
  [["explain", "a.example:1", "--listener", "edgy"], /listener "edgy": no such listener/],
];
for (const [args, says] of misuses) {
  Deno.test(`ugate ${args.join(" ") || "alone"} is used wrongly: exit code 2, told on stderr`, async () => {
    await using empty = await Folder.make();
    const { code, stdout, stderr } = await ugate(args, { cwd: empty.path });
    equal([code, stdout], [2, ""]);
    ok(says.test(stderr), stderr);
  });
}

Deno.test("version tells ugate's and the runtime's", async () => {
  const { code, stdout } = await ugate(["version"]);
  equal(code, 0);
  ok(/^ugate \d+\.\d+\.\d+ \(Deno \d+\.\d+\.\d+, \S+\)\nOpenSSL 3\.\d+\.\d+ .+\n$/.test(stdout), stdout);
});

Deno.test("version and check speak JSON where they are asked to", async () => {
  const version = await ugate(["version", "--json"]);
  equal([version.code, Object.keys(JSON.parse(version.stdout))], [0, ["ugate", "deno", "target", "openssl"]]);
  const good = await withFile(EDGE.replace(/.*protocol: ssh.*\n/, ""), ["check", "--json"]);
  const { valid, files, warnings, problems, configuration } = JSON.parse(good.stdout);
  equal([good.code, good.stderr, valid, files.length, warnings.length, problems], [0, "", true, 1, 1, []]);
  equal(configuration.discovery, ["file"]);
  const bad = await withFile(BROKEN, ["check", "--json"]);
  equal([bad.code, bad.stderr], [1, ""]);
  const [first] = JSON.parse(bad.stdout).problems;
  ok(first.place.endsWith("edge.yaml:3:20") && first.path === "listeners.edge.address", bad.stdout);
});

Deno.test("schema prints a JSON Schema that knows the keys", async () => {
  const { code, stdout } = await ugate(["schema"]);
  equal(code, 0);
  const { $schema, properties } = JSON.parse(stdout);
  equal($schema, "https://json-schema.org/draft/2020-12/schema");
  for (const key of ["listeners", "routes", "hosts", "policy", "limits"]) ok(properties[key], key);
});

Deno.test("hash reads one line of stdin and prints a hash that only this password meets", async () => {
  const { code, stdout } = await ugate(["hash"], { stdin: "correct horse\n" });
  equal(code, 0);
  const hash = parseHash(stdout.trimEnd());
  ok(hash, stdout);
  equal([await verifyHash("correct horse", hash), await verifyHash("correct horse\n", hash)], [true, false]);
});

for (const [what, stdin] of [["nothing", ""], ["two lines", "a\nb\n"], ["a hash", "scrypt:1"]]) {
  Deno.test(`hash refuses ${what}`, async () => {
    const { code, stdout, stderr } = await ugate(["hash"], { stdin });
    equal([code, stdout], [1, ""]);
    ok(/^ugate: Cannot hash the password: /.test(stderr), stderr);
  });
}

Deno.test("check tells what a good configuration does, from -c or $UGATE_CONFIG", async () => {
  const { code, stdout } = await withFile(EDGE, ["check"]);
  equal(code, 0);
  ok(/^listener edge: :8443 \(tls, ssh\)$/m.test(stdout), stdout);
  await using folder = await Folder.make();
  const UGATE_CONFIG = await folder.write("other.yaml", EDGE);
  equal((await ugate(["check"], { env: { UGATE_CONFIG } })).stdout.split("\n")[0], `ok: ${UGATE_CONFIG}`);
});

const BROKEN = `
listeners:
  edge: { address: ":70000", protocols: [tsl] }
lisener: {}
`;
for (const verb of ["check", "run", "explain"]) {
  Deno.test(`${verb} tells every mistake of a file with its place, and ends with 1`, async () => {
    const args = verb === "explain" ? [verb, "a.example:443"] : [verb];
    const { code, stdout, stderr } = await withFile(BROKEN, args);
    equal([code, stdout], [1, ""]);
    const lines = stderr.trimEnd().split("\n").map((line) => line.replace(/^.*edge\.yaml:/, ""));
    ok(
      /^3:20 listeners\.edge\.address: expected a port from 0 to 65535|^3:20 .*70000/.test(lines[0]),
      stderr,
    );
    ok(lines.some((line) => /^4:1 lisener: unknown key.*listeners/.test(line)), stderr);
  });
}

Deno.test("a file that is not there is told, and never replaced by the built-in configuration", async () => {
  for (const verb of ["check", "run"]) {
    const { code, stdout, stderr } = await ugate([verb, "-c", "/nowhere/ugate.yaml"]);
    equal([code, stdout, stderr], [1, "", "/nowhere/ugate.yaml: Cannot read: there is no such file\n"]);
  }
});

Deno.test("explain tells the route by SNI, and that SSH takes another one", async () => {
  const { code, stdout } = await withFile(EDGE, [
    "explain",
    "--listener",
    "edge",
    "--sni",
    "git.example.com",
  ]);
  equal(code, 0);
  ok(stdout.includes("routes[0]: yes, it matches\n    goes to 10.0.0.5:8443\n"), stdout);
  const bytes = ["explain", "--listener", "edge", "--hex", "53 53 48 2d 32 2e 30"];
  const ssh = await withFile(EDGE, bytes);
  ok(/ssh: yes\n[^]*goes to 127\.0\.0\.1:22\n$/.test(ssh.stdout), ssh.stdout);
});

Deno.test("explain says which file it judged: the one that run would take where none is given", async () => {
  await using folder = await Folder.make();
  const cwd = folder.path, asked = ["explain", "--sni", "git.example.com"];
  const first = async (args: string[], env = {}) =>
    (await ugate([...asked, ...args], { cwd, env })).stdout.split("\n")[0];
  equal(await first([]), "judged by the built-in configuration");
  await folder.write("ugate.yaml", EDGE);
  const other = await folder.write("other.yaml", EDGE);
  equal(await first([]), `judged by ${cwd}/ugate.yaml`);
  equal(await first([], { UGATE_CONFIG: other }), `judged by ${other}`);
  equal(await first(["-c", "./other.yaml"], { UGATE_CONFIG: "nowhere" }), `judged by ${other}`);
  const { stdout, stderr } = await ugate([...asked, "--json"], { cwd });
  equal([stdout[0], stderr.split("\n").includes(`judged by ${cwd}/ugate.yaml`)], ["[", true]);
});

Deno.test("explain as JSON is data: where it goes, or the failure and exit code 1", async () => {
  const args = ["explain", "--listener", "local", "--json"];
  const good = await withFile(EDGE, [...args, "db.example:5432"]);
  equal(good.code, 0);
  const [seen] = JSON.parse(good.stdout);
  equal([seen.listener, seen.explanations[0].endpoints], ["local", ["10.0.0.7:5432"]]);
  const metadata = await withFile(EDGE, [...args, "169.254.169.254:80"]);
  equal(metadata.code, 1);
  equal(JSON.parse(metadata.stdout)[0].explanations[0].refusal.failure, "denied");
});

Deno.test("explain knows the gate's own addresses, and denies them", async () => {
  for (const own of ["127.0.0.1:15080", "127.0.0.1:8443", "127.0.0.1:15000"]) {
    const { code, stdout } = await withFile(EDGE, ["explain", "--listener", "local", own]);
    equal(code, 1);
    ok(stdout.includes("the default for addresses of this gate itself"), stdout);
  }
});

Deno.test("explain repeats the warnings of a configuration on stderr", async () => {
  const { code, stderr } = await withFile(`${EDGE.replace(/.*protocol: ssh.*\n/, "")}`, [
    "explain",
    "--sni",
    "git.example.com",
  ]);
  equal(code, 0);
  ok(/^warning: .*no route takes ssh/m.test(stderr), stderr);
});
