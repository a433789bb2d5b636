/** The gate's own key: made once, kept, agreed on; or given. */
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { tryKeyPair } from "../../../gate/config/certificate.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { nodeIdOf, nodeNames } from "../../../gate/identity/node_id.ts";
import { nodeIdentity } from "../../../gate/identity/node_identity.ts";
import { nodeKeyOf } from "../../../gate/identity/public_key.ts";
import { equal, fails, ok, rejects } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder, run, succeed } from "../../support/child.ts";
import { Keygen } from "../../support/ssh_keygen.ts";

openssl(); // stays open
const keygen = await Keygen.make();
const DOMAIN = "mesh.example.com";
const pkcs8Of = (key: KeyObject) => Uint8Array.from(key.export({ type: "pkcs8", format: "der" }));
const pemOf = (pkcs8: Uint8Array) =>
  `-----BEGIN PRIVATE KEY-----\n${pkcs8.toBase64()}\n-----END PRIVATE KEY-----\n`;

Deno.test("the first start makes a P-256 key and a certificate, and later ones find them", async () => {
  await using folder = await Folder.make();
  const state = `${folder.path}/state`, made = await nodeIdentity({ state, domain: "" });
  equal(await nodeIdentity({ state, domain: "" }), made);
  const { id, key, sshHostKey, names, given, certificate } = made.identity;
  equal([key.kind, given, certificate.selfSigned], ["P-256", false, true]);
  equal([id, names], [nodeIdOf(key.octets), nodeNames(id, "")]);
  equal([sshHostKey, made.secrets.sshHostPkcs8], [key.ssh, made.secrets.pkcs8]);
  const modes = [...Deno.readDirSync(`${state}/identity`)].map(({ name }) => {
    return [name, Deno.statSync(`${state}/identity/${name}`).mode! & 0o777];
  });
  equal(modes.sort(), [["node.key", 0o600], ["node.pem", 0o600]]);
});

Deno.test("gates that begin at once on one state directory are one node", async () => {
  await using folder = await Folder.make();
  const parts = { state: folder.path, domain: "" };
  const module = import.meta.resolve("../../../gate/identity/node_identity.ts");
  const program = `import { nodeIdentity } from "${module}";
    const { identity } = await nodeIdentity(${JSON.stringify(parts)});
    console.log(identity.id, identity.certificate.fingerprint);`;
  const processes = Array.from({ length: 3 }, () => run(Deno.execPath(), ["eval", program]));
  const own = Promise.all(Array.from({ length: 4 }, () => nodeIdentity(parts)));
  const told = (await Promise.all(processes)).map(({ stdout }) => stdout.trim());
  const { id, certificate } = (await own)[0].identity;
  equal(
    new Set([
      ...told,
      ...(await own).map(({ identity }) => `${identity.id} ${identity.certificate.fingerprint}`),
    ]),
    new Set([`${id} ${certificate.fingerprint}`]),
  );
  equal([...Deno.readDirSync(`${folder.path}/identity`)].map(({ name }) => name).sort(), [
    "node.key",
    "node.pem",
  ]);
});

Deno.test("the certificate is for NAME.DOMAIN, is no authority's, and OpenSSL takes it", async () => {
  await using folder = await Folder.make();
  const { identity, secrets } = await nodeIdentity({ state: folder.path, domain: DOMAIN });
  const { chain, fingerprint, notAfter } = identity.certificate, file = `${folder.path}/c.pem`;
  tryKeyPair({ chain, key: pemOf(secrets.pkcs8) });
  await Deno.writeTextFile(file, chain);
  const { stdout } = await succeed("openssl", [
    "x509",
    "-in",
    file,
    "-noout",
    "-text",
    "-fingerprint",
    "-sha256",
  ]);
  const name = `${identity.id.toLowerCase()}.${DOMAIN}`;
  const lines = [
    `Subject: O = ${DOMAIN}, CN = ${identity.id.toLowerCase()}`,
    `Issuer: O = ${DOMAIN}, CN = ${identity.id.toLowerCase()}`,
    `DNS:${name}\n`,
    "CA:FALSE",
    "Digital Signature",
    "TLS Web Server Authentication, TLS Web Client Authentication",
    fingerprint.toUpperCase().match(/../g)!.join(":"),
  ];
  for (const line of lines) ok(stdout.includes(line), `${line} in\n${stdout}`);
  ok(notAfter - Date.now() > 3600 * 86_400_000);
  const short = (await nodeIdentity({ state: `${folder.path}/2`, domain: "m" })).identity;
  await Deno.writeTextFile(file, short.certificate.chain);
  const subject = (await succeed("openssl", ["x509", "-in", file, "-noout", "-subject"])).stdout;
  ok(subject.includes(`CN = ${short.names[0]}`), subject);
});

Deno.test("another domain makes another certificate, of the same key", async () => {
  await using folder = await Folder.make();
  const before = (await nodeIdentity({ state: folder.path, domain: "" })).identity;
  const after = (await nodeIdentity({ state: folder.path, domain: DOMAIN })).identity;
  equal(after.id, before.id);
  equal(after.names[0], `${before.id.toLowerCase()}.${DOMAIN}`);
  ok(after.certificate.fingerprint !== before.certificate.fingerprint);
  equal((await nodeIdentity({ state: folder.path, domain: DOMAIN })).identity, after);
});

Deno.test("a damaged certificate is made anew, a damaged key is told and never replaced", async () => {
  await using folder = await Folder.make();
  const parts = { state: folder.path, domain: "" }, { id } = (await nodeIdentity(parts)).identity;
  await Deno.writeTextFile(`${folder.path}/identity/node.pem`, "no certificate");
  equal((await nodeIdentity(parts)).identity.id, id);
  await Deno.writeTextFile(`${folder.path}/identity/node.key`, "no key");
  await rejects(nodeIdentity(parts), /node\.key: it is damaged, or another version/);
  equal(await Deno.readTextFile(`${folder.path}/identity/node.key`), "no key");
});

Deno.test("a key that others may have written is not believed", async () => {
  await using folder = await Folder.make();
  const parts = { state: folder.path, domain: "" };
  await nodeIdentity(parts);
  await Deno.chmod(`${folder.path}/identity/node.key`, 0o666);
  await fails(nodeIdentity(parts), "denied");
});

Deno.test("given keys give their IDs, and one that is not P-256 gets an SSH host key beside it", async () => {
  await using folder = await Folder.make();
  const keys = {
    Ed25519: generateKeyPairSync("ed25519").privateKey,
    RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
    "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
    "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  };
  let beside = "";
  for (const [kind, key] of Object.entries(keys)) {
    const given = { pkcs8: pkcs8Of(key) };
    const { identity, secrets } = await nodeIdentity({ state: folder.path, domain: "", given });
    equal([identity.key.kind as string, identity.given, identity.id], [
      kind,
      true,
      nodeIdOf(identity.key.octets),
    ]);
    equal(secrets.pkcs8, given.pkcs8);
    tryKeyPair({ chain: identity.certificate.chain, key: pemOf(secrets.pkcs8) });
    const { type, fingerprint } = identity.sshHostKey;
    equal(type, "ecdsa-sha2-nistp256");
    equal(fingerprint === identity.key.ssh.fingerprint, kind === "P-256");
    if (kind !== "P-256") equal(fingerprint, beside ||= fingerprint);
  }
  const names = [...Deno.readDirSync(`${folder.path}/identity`)].map(({ name }) => name);
  equal(names.sort(), ["node.pem", "ssh_host.key"]);
});

Deno.test("a given certificate is the node's, with the name that a mesh's authority wrote into it", async () => {
  await using folder = await Folder.make();
  const authority = await Authority.make("mesh"), spiffe = "spiffe://cluster.local/ns/default/sa/pi";
  const { chain, key } = await authority.issue(["pi.example.com"]);
  const { readPrivateKey } = await import("../../../gate/identity/key_file.ts");
  const given = { pkcs8: pkcs8Of(await readPrivateKey(key)), chain, roots: authority.root.chain };
  const { identity } = await nodeIdentity({ state: folder.path, domain: "", given });
  equal([identity.certificate.chain, identity.certificate.selfSigned], [chain, false]);
  equal([identity.certificate.spiffe, identity.roots], [undefined, authority.root.chain]);
  const args = [
    "req",
    "-x509",
    "-nodes",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-subj",
    "/CN=x",
  ];
  const files = ["-keyout", `${folder.path}/k`, "-out", `${folder.path}/c`];
  await succeed("openssl", [...args, "-addext", `subjectAltName=URI:${spiffe}`, ...files]);
  const workload = {
    pkcs8: pkcs8Of(await readPrivateKey(await Deno.readTextFile(`${folder.path}/k`))),
    chain: await Deno.readTextFile(`${folder.path}/c`),
  };
  equal(
    (await nodeIdentity({ state: folder.path, domain: "", given: workload })).identity.certificate.spiffe,
    spiffe,
  );
});

Deno.test("public keys are as OpenSSH and OpenSSL have them", async () => {
  const { readPrivateKey } = await import("../../../gate/identity/key_file.ts");
  for (
    const kind of ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048", "rsa -b 3072"]
  ) {
    const { file, blob, line } = await keygen.key(`-t ${kind}`);
    const { ssh, spki } = nodeKeyOf(await readPrivateKey(await Deno.readTextFile(file)));
    const [, print] = (await keygen.said("-lf", `${file}.pub`)).split(" ");
    equal([ssh.blob, ssh.type, ssh.fingerprint], [blob, line.split(" ")[0], print]);
    const pem = await keygen.said("-e", "-m", "PKCS8", "-f", `${file}.pub`).catch(() => undefined); // not of Ed25519
    if (pem) equal(createHash("sha256").update(spki).digest("hex"), digestOf(pem), kind);
  }
});

const digestOf = (pem: string): string =>
  createHash("sha256").update(Uint8Array.fromBase64(pem.replace(/-----.*-----|\s/g, ""))).digest("hex");
