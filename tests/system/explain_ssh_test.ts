/** What `ugate explain` tells of SSH that ends at the gate, of gates behind SSH, and of names of the mesh. */
import { equal, ok } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";

const ID = "KVYTLBNE4ND5USY4A2V54U72SNROXCVCOFUMOLMGW4HJ6EWMZYNA";
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdgLsYI7Ck7gFqGkBe7vIjtUqV6vSY5wxPBUBmNuJhG";
const GREETING = "53 53 48 2d 32 2e 30 2d 78 0d 0a";

async function explain(yaml: string, ...args: string[]) {
  await using folder = await Folder.make();
  await folder.write(
    "keys",
    `${KEY} me\npermitlisten="pi.mesh.example.com:443",permitlisten="8080" ${KEY} pi\n`,
  );
  await folder.write("ca", `${KEY}\n`);
  const file = await folder.write("ugate.yaml", yaml.replaceAll("DIR", folder.path));
  const { code, stdout, stderr } = await run(Deno.execPath(), [
    "run",
    "-A",
    "main.ts",
    "explain",
    "-c",
    file,
    ...args,
  ]);
  return { code, text: stdout.replaceAll(folder.path, "DIR"), stderr };
}

const GATE = `
node: { name: gate, domain: mesh.example.com }
listeners: { edge: { address: "0.0.0.0:1", protocols: [tls, ssh] } }
ssh: { authorizedKeys: [DIR/keys], userAuthorities: [DIR/ca] }
issuers: [{ issuer: "https://id.example", jwks: "https://id.example/jwks" }]
policy: [{ allow: { identity: "key:${ID}", hosts: "*.internal", ports: 22 } }]
hosts: { db.internal: { addresses: [192.0.2.7] } }
discovery: [file, mesh]
admin: { address: off }
`;
const LOGINS = "it ends here, for who logs in by 2 lines of DIR/keys, a certificate of DIR/ca (1 key), " +
  "a token of https://id.example, 1 key that allow rules of policy name";
const NAMES =
  "names come from the ID of a key and the principals of a certificate, with .mesh.example.com behind; " +
  "lines permit pi.mesh.example.com";

Deno.test("the first bytes of SSH that ends here are told who may log in, and where names come from", async () => {
  const { code, text } = await explain(GATE, "--hex", GREETING);
  equal(code, 0, text);
  ok(
    text.includes(`ssh\n    ${LOGINS}\n    ${NAMES}\n    answered by the gate itself: a login comes first`),
    text,
  );
  const passed = await explain(
    GATE.replace("policy:", 'routes: [{ protocol: ssh, to: "192.0.2.9:22" }]\npolicy:'),
    "--hex",
    GREETING,
  );
  ok(passed.text.includes("goes to 192.0.2.9:22") && !passed.text.includes("it ends here"), passed.text);
});

Deno.test("what somebody may forward there is told by who it is", async () => {
  const { text } = await explain(GATE, "--identity", `key:${ID}`, "db.internal:22");
  ok(text.includes(`ssh db.internal:22\n    ${LOGINS}`) && text.includes("goes to 192.0.2.7:22"), text);
  const refused = await explain(GATE, "--identity", "role:other", "db.internal:22");
  ok(/ssh db\.internal:22\n(.*\n)+? {4}refused \(denied\)/.test(refused.text), refused.text);
});

Deno.test("a gate behind layers is told with the login name and whom it has to be", async () => {
  const via = `via: "home.example:22", layers: [ssh], user: me, identity: "key:${ID}"`;
  const { code, text } = await explain(
    `listeners: { local: { address: "127.0.0.1:1", protocols: [socks] } }\nhosts: { "*.lan": { ${via} } }\n`,
    "nas.lan:445",
  );
  equal(code, 0);
  ok(text.includes(`goes to nas.lan:445 in ssh by home.example:22 as me (which has to be key:${ID})`), text);
});

Deno.test("a name of the mesh is told to be one, also where no gate can be asked who is connected", async () => {
  const allowed = GATE.replace("*.internal", "*.example.com");
  const { code, text } = await explain(allowed, "--identity", `key:${ID}`, "pi.mesh.example.com:22");
  equal(code, 1);
  ok(
    text.includes(
      "it is a name of the mesh, and nobody knows whether it is connected: admin.address is off",
    ),
    text,
  );
});
