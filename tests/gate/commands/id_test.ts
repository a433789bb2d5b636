/** `ugate id`, and what OpenSSH and OpenSSL make of its lines. */
import { createHash } from "node:crypto";
import { renderQr } from "../../../gate/commands/qr.ts";
import { readAuthorizedKeys } from "../../../protocols/ssh/keys/authorized_keys.ts";
import { readKnownHosts, trustIn } from "../../../protocols/ssh/keys/known_hosts.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder, run, succeed } from "../../support/child.ts";
import { Program, ugate } from "../../support/program.ts";
import { Keygen } from "../../support/ssh_keygen.ts";

await renderQr(""); // its library is loaded, and stays

/** A configuration with this `node`, its state in the folder. */
async function configured(folder: Folder, node = ""): Promise<string> {
  const file = `${folder.path}/ugate.yaml`;
  await Deno.writeTextFile(file, `node: { state: ${folder.path}/state, name: pi${node} }\n`);
  return file;
}

Deno.test("id makes the node's key, and tells the same every time", async () => {
  await using folder = await Folder.make();
  const file = await configured(folder, ", domain: mesh.example.com");
  const { code, stdout, stderr } = await ugate(["id", "-c", file]);
  equal([code, stderr], [0, ""]);
  const words = JSON.parse((await ugate(["id", "-c", file, "--json"])).stdout);
  equal((await ugate(["id", "-c", file])).stdout, stdout);
  const lines = [words.id, words.vip, words.ssh.fingerprint, words.tls.fingerprint];
  for (const told of [...lines, words.authorizedKeys, words.knownHosts, words.tlsa, `${folder.path}/state`]) {
    ok(stdout.includes(told), `${told} in\n${stdout}`);
  }
  equal(words.names[0], `${words.id.toLowerCase()}.mesh.example.com`);
  ok(!stdout.includes("PRIVATE") && !stdout.includes("\x1b"));
});

Deno.test("its lines are what OpenSSH and OpenSSL take", async () => {
  await using folder = await Folder.make();
  const { stdout } = await ugate(["id", "-c", await configured(folder), "--json"]),
    words = JSON.parse(stdout);
  const { keys } = readAuthorizedKeys("keys", words.authorizedKeys);
  equal(keys.length, 1);
  ok(words.authorizedKeys.endsWith(" pi"));
  const known = `${folder.path}/known`, host = words.names[0];
  await Deno.writeTextFile(known, `${words.knownHosts}\n`);
  for (const name of [host, `[${host}]:15022`]) {
    ok((await run("ssh-keygen", ["-F", name, "-f", known])).stdout.includes(words.knownHosts), name);
  }
  equal(trustIn(readKnownHosts("known", words.knownHosts).hosts, host, 443).keys, [keys[0].key]);
  await Deno.writeTextFile(`${folder.path}/key.pub`, words.authorizedKeys);
  const print = (await succeed("ssh-keygen", ["-lf", `${folder.path}/key.pub`])).stdout;
  ok(print.includes(words.ssh.fingerprint), print);
  const pem = `${folder.path}/state/identity/node.pem`;
  const told = await succeed("openssl", ["x509", "-in", pem, "-noout", "-fingerprint", "-sha256"]);
  ok(told.stdout.trim().endsWith(words.tls.fingerprint), told.stdout);
  const spki = await succeed("openssl", [
    "pkey",
    "-in",
    pem.replace(".pem", ".key"),
    "-pubout",
    "-outform",
    "DER",
  ]);
  const hash = createHash("sha256").update(spki.bytes).digest("hex");
  equal(words.tlsa, `_443._tcp.${host}. IN TLSA 3 1 1 ${hash}`);
});

Deno.test("of a given key it tells where it is from, and the SSH host key beside it", async () => {
  await using folder = await Folder.make();
  const { file } = await (await Keygen.make()).key("-t ed25519");
  const { stdout } = await ugate(["id", "-c", await configured(folder, `, key: ${file}`)]);
  ok(/^key {7}Ed25519, given: /m.test(stdout) && /^SSH {7}SHA256:.* \(ssh-ed25519\)$/m.test(stdout), stdout);
  ok(/^SSH host {2}SHA256:.* \(ecdsa-sha2-nistp256\)$/m.test(stdout), stdout);
  const issued = await (await Authority.make("mesh")).issue(["pi.example.com"]);
  const node = `, key: ${issued.keyFile}, certificate: ${issued.chainFile}`;
  ok(/^TLS .*, given, until /m.test((await ugate(["id", "-c", await configured(folder, node)])).stdout));
});

Deno.test("id fails where the configuration is wrong, or the state cannot be kept; usage is told", async () => {
  await using folder = await Folder.make();
  const wrong = await ugate(["id", "-c", await configured(folder, ", key: /nowhere/x")]);
  equal([wrong.code, wrong.stdout], [1, ""]);
  ok(/node\.key: Cannot read \/nowhere\/x/.test(wrong.stderr), wrong.stderr);
  await Deno.writeTextFile(`${folder.path}/state`, "a file");
  const broken = await ugate(["id", "-c", await configured(folder)]);
  equal([broken.code, broken.stdout], [1, ""]);
  ok(/^ugate: Cannot (read|write) .*identity/.test(broken.stderr), broken.stderr);
  equal((await ugate(["id", "ugate.yaml"])).code, 2);
});

Deno.test("a QR code has a quiet border, and rows of one width", async () => {
  const lines = (await renderQr("A".repeat(52))).split("\n").map((line) => line.slice(9, -4));
  equal(new Set(lines.map(({ length }) => length)), new Set([lines[0].length]));
  ok(lines[0].trim() === "" && lines.every((line) => line.startsWith("  ") && line.endsWith("  ")));
  ok(lines[1].slice(2, 9) === "█▀▀▀▀▀█", lines[1]);
});

Deno.test("the first run makes the key that id tells", async () => {
  await using folder = await Folder.make();
  const state = `${folder.path}/state`, made = `${state}/identity/node.pem`;
  await Deno.mkdir(`${state}/identity`, { recursive: true });
  using changes = Deno.watchFs(`${state}/identity`);
  const yaml = `node: { state: ${state} }\nlisteners: { a: { address: "127.0.0.1:0", to: "127.0.0.1:9" } }\n`;
  await using program = await Program.start(`${yaml}admin: { address: "off" }\n`);
  for await (const { paths } of changes) if (paths.includes(made)) break;
  const key = await Deno.readTextFile(`${state}/identity/node.key`);
  const { code } = await ugate(["id", "-c", `${program.folder.path}/ugate.yaml`]);
  equal([code, await Deno.readTextFile(`${state}/identity/node.key`)], [0, key]);
});

Deno.test({
  name: "what root makes in the state of a service is the service's, and root may look at it",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using folder = await Folder.make();
    const file = await configured(folder), service = 65534;
    await Deno.mkdir(`${folder.path}/state`);
    await Deno.chown(`${folder.path}/state`, service, service);
    const { stdout } = await ugate(["id", "-c", file]);
    for (const name of ["", "/node.key", "/node.pem"]) {
      equal(Deno.statSync(`${folder.path}/state/identity${name}`).uid, service, name);
    }
    equal(await ugate(["id", "-c", file]).then(({ code, stdout }) => [code, stdout]), [0, stdout]);
  },
});
