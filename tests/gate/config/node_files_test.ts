/** `node.key`, `.certificate` and `.roots`: the files, and what stands beside them where meshes put theirs. */
import { createPrivateKey } from "node:crypto";
import { differences } from "../../../gate/config/differences.ts";
import { ConfigurationError, type Loaded, parseConfiguration } from "../../../gate/config/load.ts";
import { stillThere } from "../../../gate/config/references.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { readPrivateKey } from "../../../gate/identity/key_file.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder } from "../../support/child.ts";
import { Keygen } from "../../support/ssh_keygen.ts";

openssl(); // stays open
const authority = await Authority.make("mesh"), root = authority.root.chain;
const [mine, other] = await Promise.all(
  ["pi.example", "other.example"].map((name) => authority.issue([name])),
);
const keygen = await Keygen.make();
const ssh = await keygen.key("-t ed25519");
await readPrivateKey(await Deno.readTextFile(ssh.file)); // ssh2 is loaded, and stays

const parsed = (node: string): Promise<Loaded> =>
  parseConfiguration([{ file: "ugate.yaml", text: `node: ${node}\n` }], protocols, { get: () => undefined });

async function problemsOf(node: string): Promise<string[]> {
  const fault = await parsed(node).then(() => undefined, (thrown) => thrown);
  ok(fault instanceof ConfigurationError, `expected mistakes, got ${fault}`);
  return fault.problems.map(({ path, message }) => `${path}: ${message}`);
}

const pkcs8Of = (pem: string) =>
  Uint8Array.from(createPrivateKey(pem).export({ type: "pkcs8", format: "der" }));

Deno.test("key, certificate and roots are read, and the key is nowhere that is told", async () => {
  const files =
    `key: "${mine.keyFile}", certificate: "${mine.chainFile}", roots: "${authority.root.chainFile}"`;
  const { credentials, config, shown, references, texts } = await parsed(`{ ${files} }`);
  equal(credentials.node, { pkcs8: pkcs8Of(mine.key), chain: mine.chain, roots: root });
  equal(config.node.key, mine.keyFile);
  equal(references.length, 3);
  const told = JSON.stringify([config, shown, references, texts]);
  ok(!told.includes("PRIVATE") && !told.includes(pkcs8Of(mine.key).toHex()));
});

Deno.test("OpenSSH's keys will do, without a certificate; and roots without a key", async () => {
  const { credentials } = await parsed(`{ key: "${ssh.file}" }`);
  equal([credentials.node?.pkcs8?.length, credentials.node?.chain], [48, undefined]);
  const roots = (await parsed(`{ roots: "${authority.root.chainFile}" }`)).credentials.node;
  equal(roots, { pkcs8: undefined, chain: undefined, roots: root });
  equal((await parsed("{ name: pi }")).credentials.node, undefined);
});

Deno.test("beside keys of Istio, SPIFFE and cert-manager stand their certificates and roots", async () => {
  const layouts = [
    ["key.pem", "cert-chain.pem", "root-cert.pem"],
    ["private_key.pem", "certificates.pem", "ca_certificates.pem"],
    ["tls.key", "tls.crt", "ca.crt"],
  ];
  for (const [key, certificate, roots] of layouts) {
    await using folder = await Folder.make();
    const node = `{ key: "${folder.path}/${key}" }`;
    await Deno.writeTextFile(`${folder.path}/${key}`, mine.key);
    const alone = await parsed(node);
    equal(alone.credentials.node?.chain, undefined);
    equal(await stillThere(alone.references), true);
    await Deno.writeTextFile(`${folder.path}/${certificate}`, mine.chain);
    equal(await stillThere(alone.references), false); // it is watched for
    equal((await parsed(node)).credentials.node, {
      pkcs8: pkcs8Of(mine.key),
      chain: mine.chain,
      roots: undefined,
    });
    await Deno.writeTextFile(`${folder.path}/${roots}`, root);
    equal((await parsed(node)).credentials.node?.roots, root);
    const given = `{ key: "${folder.path}/${key}", certificate: "${mine.chainFile}" }`;
    equal((await parsed(given)).credentials.node?.roots, undefined);
    await Deno.writeTextFile(`${folder.path}/${certificate}`, other.chain);
    equal(await problemsOf(node), ["node.key: the certificate does not belong to node.key"]);
  }
});

Deno.test("what cannot be used is told at its key", async () => {
  const weak = await authority.issue(["weak"], ["-newkey", "rsa:1024"]),
    locked = await keygen.key("-t ed25519", ["-N", "x"]);
  const cases: [string, string][] = [
    [`{ certificate: "${mine.chainFile}" }`, "node.certificate: needs key"],
    ['{ key: "/nowhere/x" }', "node.key: Cannot read /nowhere/x: there is no such file"],
    [
      `{ key: "${mine.chainFile}" }`,
      "node.key: Cannot use a private key: expected a private key in PEM, or in OpenSSH's format",
    ],
    [`{ key: "${locked.file}" }`, "node.key: Cannot use a private key: it has a passphrase"],
    [`{ key: "${weak.keyFile}" }`, "node.key: expected a key of RSA with at least 2048 bits"],
    [
      `{ key: "${mine.keyFile}", certificate: "${other.chainFile}" }`,
      "node.certificate: the certificate does not belong to node.key",
    ],
    [
      `{ key: "${mine.keyFile}", certificate: "${mine.keyFile}" }`,
      "node.certificate: Cannot use the node's certificate: it is not to be read",
    ],
    [`{ roots: "${mine.keyFile}" }`, "node.roots: "],
  ];
  for (const [node, problem] of cases) {
    const [first, ...more] = await problemsOf(node);
    ok(first.startsWith(problem) && more.length === 0, `${first} ${more}`);
  }
});

Deno.test("another file, or other content of the same, is a change that takes no restart", async () => {
  await using folder = await Folder.make();
  const node = `{ name: pi, state: /state, key: "${folder.path}/k" }`;
  await Deno.writeTextFile(`${folder.path}/k`, mine.key);
  const before = await parsed(node);
  await Deno.writeTextFile(`${folder.path}/k`, other.key);
  equal(await stillThere(before.references), false);
  const { changes, restart } = differences(before.config, (await parsed(node)).config);
  equal([changes.length, restart], [1, []]);
  ok(/^node\.key: .*\/k \([0-9a-f]{8}\) instead of .*\/k \([0-9a-f]{8}\)$/.test(changes[0]), changes[0]);
  const none = (await parsed("{ name: pi, state: /state }")).config;
  ok(
    differences(before.config, none).changes[0].startsWith(
      "node.key: the one made at the first start instead of",
    ),
  );
});
