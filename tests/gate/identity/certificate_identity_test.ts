/** Who a client certificate proves somebody to be, and what policy makes of it inside of TLS. */
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { certificateIdentity, spiffeOf } from "../../../gate/identity/certificate_identity.ts";
import { nodeIdOf } from "../../../gate/identity/node_id.ts";
import { nodeKeyOf } from "../../../gate/identity/public_key.ts";
import { uriNames } from "../../../gate/identity/uri_names.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder, succeed } from "../../support/child.ts";
import { startGate } from "../../support/gate.ts";
import { mutated } from "../../support/mutations.ts";
import { listenEcho } from "../../support/net.ts";
import { connectSecure } from "../../support/tls_clients.ts";

openssl(); // stays open
const authority = await Authority.make("mesh"), site = await authority.issue(["gate.example"]);
const SPIFFE = "spiffe://cluster.local/ns/default/sa/pi";

/** Issued by the authority, with these alternative names. */
async function issued(folder: Folder, names: string, key: readonly string[] = []) {
  const file = `${folder.path}/${crypto.randomUUID()}`, { chainFile, keyFile } = authority.root;
  const kind = key.length > 0 ? key : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  await succeed("openssl", [
    ...[
      "req",
      "-x509",
      "-nodes",
      "-days",
      "30",
      "-subj",
      "/CN=x",
      "-CA",
      chainFile,
      "-CAkey",
      keyFile,
      ...kind,
    ],
    ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `subjectAltName=${names}`],
    ...["-out", `${file}.pem`, "-keyout", `${file}.key`],
  ]);
  const chain = await Deno.readTextFile(`${file}.pem`), { raw, publicKey } = new X509Certificate(chain);
  const id = nodeIdOf(nodeKeyOf(publicKey).octets);
  return { chain, key: await Deno.readTextFile(`${file}.key`), der: Uint8Array.from(raw), id };
}

Deno.test("a certificate proves its key, and the one SPIFFE ID that it has", async () => {
  await using folder = await Folder.make();
  for (const key of [[], ["-newkey", "rsa:2048"], ["-newkey", "ed25519"]]) {
    const { der, id } = await issued(folder, `URI:${SPIFFE},DNS:pi.example`, key);
    const names = [SPIFFE, `key:${id}`];
    equal(certificateIdentity(id, der), { name: SPIFFE, names, proof: "tls certificate" });
  }
  const plain = await issued(folder, "DNS:pi.example");
  equal(certificateIdentity("plain", plain.der)?.names, [`key:${plain.id}`]);
});

Deno.test("two URIs are no SPIFFE ID, nor is a name that looks like two", async () => {
  await using folder = await Folder.make();
  const two = await issued(folder, `URI:${SPIFFE},URI:spiffe://other/x`);
  equal([uriNames(two.der).length, spiffeOf(two.der)], [2, undefined]);
  const file = `${folder.path}/forged.cnf`; // a comma within a name takes a section of its own
  const sections =
    `[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nsubjectAltName=@names\n[names]\nDNS.1=x\\, URI:${SPIFFE}\n`;
  await Deno.writeTextFile(file, sections);
  const args = ["req", "-x509", "-nodes", "-newkey", "ed25519", "-subj", "/CN=x", "-config", file];
  const out = ["-outform", "DER", "-out", `${folder.path}/forged`, "-keyout", `${folder.path}/k`];
  await succeed("openssl", [...args, ...out]);
  const forged = await Deno.readFile(`${folder.path}/forged`);
  equal([uriNames(forged), spiffeOf(forged)], [[], undefined]);
});

Deno.test("damaged certificates have names or none, and nothing throws", async () => {
  await using folder = await Folder.make();
  const { der } = await issued(folder, `URI:${SPIFFE}`);
  equal(uriNames(der), [SPIFFE]);
  for (let size = 0; size < der.length; size++) equal(uriNames(der.subarray(0, size)), []);
  let count = 0;
  fc.assert(fc.property(mutated(der), (bytes) => {
    uriNames(bytes);
    certificateIdentity(`damaged ${count++}`, bytes);
  }));
});

Deno.test("policy lets through inside of TLS whom a rule names, and nobody else", async () => {
  await using folder = await Folder.make();
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls, connect]
    clientCertificates: { ca: "${authority.root.chainFile}" }
routes: [{ host: gate.example, tls: terminate }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
policy:
  - { allow: { identity: "${SPIFFE}", addresses: "127.0.0.1/32" } }
  - { deny: {} }
`);
  const asked = async (names: string): Promise<string> => {
    const { chain: cert, key } = await issued(folder, names);
    const options = {
      port: gate.port("edge"),
      servername: "gate.example",
      ca: authority.root.chain,
      cert,
      key,
    };
    await using secure = await connectSecure(options);
    secure.socket.write(`CONNECT 127.0.0.1:${echo.port} HTTP/1.1\r\nHost: 127.0.0.1:${echo.port}\r\n\r\n`);
    return await new Promise((resolve) =>
      secure.socket.once("data", (bytes: Uint8Array) => {
        resolve(new TextDecoder().decode(bytes).slice(9, 12));
      })
    );
  };
  equal(await asked(`URI:${SPIFFE}`), "200");
  equal(await asked("URI:spiffe://cluster.local/ns/default/sa/other"), "403");
  equal(await asked("DNS:pi.example"), "403");
  ok((await gate.record(({ outcome }) => outcome === "denied")).protocol === "connect");
});
