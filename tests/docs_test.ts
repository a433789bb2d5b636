/**
 * Every configuration of docs/http.md holds, and those with lines to type are served: support/docs.ts tells with which
 * changes.
 */
import { loadConfiguration } from "../gate/config/load.ts";
import { openssl } from "../gate/engine/openssl_library.ts";
import { protocols } from "../protocols/mod.ts";
import { need } from "../scripts/clients.ts";
import { freePorts } from "../scripts/free_ports.ts";
import { equal, ok } from "./support/assert.ts";
import { Authority } from "./support/certificates.ts";
import { Folder, run } from "./support/child.ts";
import { DocsWorld, makeSite, namesIn, type Page, pagesOf } from "./support/docs.ts";
import { Pebble } from "./support/pebble.ts";
import { MAIN, Program } from "./support/program.ts";
import { portsOf, typed } from "./support/readme.ts";
import { Keygen } from "./support/ssh_keygen.ts";

const TEXT = Deno.readTextFileSync(new URL("../docs/http.md", import.meta.url));
const PAGES = pagesOf(TEXT);
const authority = await Authority.make("docs");
openssl(); // it stays open: not in a test
const RUN = /^((?:\w+=\S+ )*)ugate run -c (\S+)$/;

/** Where a page is played: what is served of it, and what the lines that are typed find. */
interface Scene {
  readonly served: string;
  readonly env: Record<string, string>;
  /** Names of which an authority issues certificates first. */
  readonly issued: readonly string[];
}

async function sceneOf({ name, yaml }: Page, world: DocsWorld): Promise<Scene> {
  const { folder } = world;
  await Deno.mkdir(`${folder.path}/bin`);
  await folder.write("bin/ugate", `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${MAIN}' "$@"\n`, 0o755);
  const tokens = yaml.includes("jwks:") ? await world.tokens() : {};
  const served = await world.served(yaml);
  const env = { PATH: `${folder.path}/bin:${Deno.env.get("PATH")}`, CURL_CA_BUNDLE: world.roots, ...tokens };
  await folder.write(name, served);
  return { served, env, issued: [] };
}

/** The authority is one of this machine, which asks at the ports that are known to it. */
async function certified({ served, env }: Scene, world: DocsWorld): Promise<Scene> {
  const [httpPort, tlsPort] = freePorts(2);
  const pebble = world.use(await Pebble.start({ httpPort, tlsPort }));
  return {
    served: served.replace('web: { address: ":0"', `web: { address: "127.0.0.1:${httpPort}"`)
      .replace('edge: { address: ":0"', `edge: { address: "127.0.0.1:${tlsPort}"`)
      .replace("directory: staging", `directory: "${pebble.directory}"\n  ca: "${pebble.ca}"`),
    env: { ...env, CURL_CA_BUNDLE: await world.folder.write("pebble.pem", await pebble.root()) },
    issued: ["app.example.com", "one.apps.example.com"],
  };
}

async function play(page: Page): Promise<void> {
  const { name, yaml, lines } = page;
  await using world = await DocsWorld.make(namesIn(yaml));
  const made = await sceneOf(page, world);
  const { served, env, issued } = yaml.includes("directory: staging") ? await certified(made, world) : made;
  const start = lines.findIndex(({ command }) => RUN.test(command));
  const running = RUN.exec(lines[start]?.command ?? "");
  ok(running && running[2] === name, `${name} is not served`);
  const given = Object.fromEntries(running[1].split(" ").filter(Boolean).map((each) => each.split("=")));
  await using program = await Program.start(served, { env: given });
  for (const host of issued) {
    await program.message((message) => message.startsWith(`certificate of ${host} issued by`));
  }
  const ports = portsOf(yaml, program);
  env.UGATE_ADMIN = program.addresses("admin")[0];
  for (const { command, prints } of lines.toSpliced(start, 1)) {
    const said = await run("sh", ["-c", typed(command, ports, {})], { env, cwd: world.folder.path });
    const words = `${said.stdout}${said.stderr}`;
    ok(prints !== "" && words.includes(prints), `${name}: expected ${prints} of ${command}\n${words}`);
  }
}

for (const page of PAGES) {
  Deno.test({
    name: `docs/http.md: ${page.name} is served, and what the text types beside it prints what it says`,
    ignore: !need("curl", "openssl", "pebble"),
    fn: () => play(page),
  });
}

/** The files that examples name. */
async function makeFiles(): Promise<Folder> {
  const folder = await Folder.make();
  const site = await authority.issue(["example.com", "*.example.com"]);
  const client = await authority.issue(["gate.example.com"]);
  await folder.write("cert.pem", site.chain);
  await folder.write("key.pem", site.key);
  await folder.write("client.pem", client.chain);
  await folder.write("client.key", client.key);
  await folder.write("ca.pem", authority.root.chain);
  await makeSite(folder);
  return folder;
}

Deno.test("the example of logins in docs/ssh.md is a configuration that holds", async () => {
  await using folder = await Folder.make();
  const text = Deno.readTextFileSync(new URL("../docs/ssh.md", import.meta.url));
  const { name, yaml } = pagesOf(text).find(({ name }) => name === "login.yaml")!;
  for (const file of ["authorized_keys", "user_ca.pub", "revoked"]) await folder.write(file, "");
  const { config, credentials, warnings } = await loadConfiguration(
    await folder.write(name, yaml),
    protocols,
  );
  equal([warnings, credentials.logins?.logins.revoked.length], [[], 1]);
  equal([config.ssh.banner, config.issuers.length], ["For members only", 1]);
});

Deno.test("every example of docs/ssh.md is a configuration that holds", async () => {
  await using folder = await Folder.make();
  const text = Deno.readTextFileSync(new URL("../docs/ssh.md", import.meta.url)),
    keygen = await Keygen.make();
  const { file, line } = await keygen.key("-t ed25519");
  await Deno.copyFile(file, `${folder.path}/id_ed25519`);
  const files = { authorized_keys: line, keys: line, "user_ca.pub": line, revoked: "", known_hosts: "" };
  for (const [name, content] of Object.entries(files)) await folder.write(name, content);
  const pages = pagesOf(text);
  equal(pages.length, text.match(/^```yaml$/gm)!.length);
  for (const { name, yaml } of pages) {
    const path = await folder.write(name, yaml.replaceAll("/etc/ugate/", `${folder.path}/`));
    const { warnings } = await loadConfiguration(path, protocols);
    equal(warnings, [], name);
  }
});

Deno.test("docs/http.md has no example that is not served", () => {
  const blocks = Array.from(TEXT.matchAll(/^```yaml\n(.*)$/gm), ([, first]) => first);
  equal(PAGES.map(({ name }) => `# ${name}`), blocks);
});

Deno.test("the examples of docs/http.md are configurations that hold", async () => {
  await using folder = await makeFiles();
  for (const [, example] of TEXT.matchAll(/^```yaml\n(.*?)^```$/gms)) {
    const path = await folder.write("ugate.yaml", example);
    const { config, warnings } = await loadConfiguration(path, protocols, { get: () => "secret" });
    equal(warnings, [], example);
    ok(config.routes.length > 0 || config.policy.length > 0, example);
  }
});

Deno.test("docs/http.md has an index of all its examples", () => {
  const headings = Array.from(TEXT.matchAll(/^## (.*)$/gm), ([, heading]) => heading);
  const index = Array.from(TEXT.matchAll(/^- \[(.*)\]\(#(.*)\)$/gm), ([, title]) => title);
  equal(index, headings);
  equal(new Set(PAGES.map(({ name }) => name)).size, PAGES.length);
});
