/** Where SSH ends at the gate, check tells when nobody could ever log in there. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { parseConfiguration } from "../../../gate/config/load.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder } from "../../support/child.ts";

openssl(); // stays loaded

const authority = await Authority.make("logins");
const ID = "KVYTLBNE4ND5USY4A2V54U72SNROXCVCOFUMOLMGW4HJ6EWMZYNA";
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdgLsYI7Ck7gFqGkBe7vIjtUqV6vSY5wxPBUBmNuJhG me";
const ISSUER = 'issuers: [{ issuer: "https://id.example", jwks: "https://id.example/jwks" }]';
const LISTENERS = `listeners:
  edge: { address: "127.0.0.1:1", protocols: [tls, ssh] }
  inner: { address: "127.0.0.1:2", protocols: [ssh] }
`;

async function warnings(
  folder: Folder,
  rest: string,
  part = "nobody can log in",
): Promise<readonly string[]> {
  const text = (LISTENERS + rest).replaceAll("DIR", folder.path);
  const texts = [{ file: "ugate.yaml", text }];
  return (await parseConfiguration(texts, protocols, { get: () => undefined })).warnings
    .filter((text) => text.includes(part));
}

async function keys(): Promise<Folder> {
  const folder = await Folder.make();
  await folder.write("full", `# of the house\n${KEY}\n`);
  await folder.write("empty", "# nobody yet\n");
  return folder;
}

Deno.test("each listener where SSH ends is warned of, at its protocols, where nobody can log in at all", async () => {
  await using folder = await keys();
  const told = await warnings(folder, "");
  equal(told.map((text) => text.replace(/ SSH ends.*/, "")), [
    "ugate.yaml:2:46 listeners.edge.protocols:",
    "ugate.yaml:3:47 listeners.inner.protocols:",
  ]);
  ok(told[0].includes("ssh.authorizedKeys") && told[0].includes("key:ID"), told[0]);
});

Deno.test("where files are given and nobody is in them, that is said where they are", async () => {
  await using folder = await keys();
  for (
    const files of [
      "authorizedKeys: [DIR/empty]",
      "authorizedKeys: [DIR/absent]",
      "userAuthorities: [DIR/empty]",
    ]
  ) {
    const [told, ...more] = await warnings(folder, `ssh: { ${files} }`);
    equal(more, []);
    ok(/^ugate\.yaml:\d+:\d+ ssh\.\w+: nobody is in these files, .* at edge, inner: /.test(told), told);
  }
});

const RIGHT = [
  "ssh: { authorizedKeys: [DIR/full] }",
  "ssh: { authorizedKeys: [DIR/empty, DIR/full] }",
  "ssh: { userAuthorities: [DIR/full] }",
  ISSUER,
  `policy: [{ allow: { identity: "key:${ID}" } }]`,
  `policy: [{ allow: { identity: ["role:a", "key:${ID}"], protocol: ssh, ports: 22 } }]`,
  'routes: [{ protocol: ssh, to: "x:22" }]',
];

for (const rest of RIGHT) {
  Deno.test(`nothing is said where somebody can, or SSH goes elsewhere: ${rest.slice(0, 60)}`, async () => {
    await using folder = await keys();
    equal(await warnings(folder, rest), []);
  });
}

const WRONG: [rest: string, at: string[]][] = [
  [`policy: [{ deny: { identity: "key:${ID}" } }]`, ["edge", "inner"]],
  ['policy: [{ allow: { identity: "role:admin" } }, { allow: { identity: any } }]', ["edge", "inner"]],
  [`policy: [{ allow: { identity: "key:${ID}", listener: inner } }]`, ["edge"]],
  [`policy: [{ allow: { identity: "key:${ID}", protocol: tls } }]`, ["edge", "inner"]],
  ['routes: [{ listener: edge, protocol: ssh, to: "x:22" }]', ["inner"]],
  ['routes: [{ listener: inner, to: "x:22" }]', ["edge"]],
];

for (const [rest, at] of WRONG) {
  Deno.test(`what lets nobody in there does not count: ${rest.slice(0, 70)}`, async () => {
    await using folder = await keys();
    equal((await warnings(folder, rest)).map((text) => /listeners\.(\w+)/.exec(text)![1]), at);
  });
}

Deno.test("certificates and acme that names of nodes could use are not told to be useless", async () => {
  await using folder = await keys();
  const told = async (rest: string) => {
    const text = (LISTENERS.replace("[tls, ssh]", "[tls, http, ssh]") + rest).replaceAll("DIR", folder.path);
    const { warnings } = await parseConfiguration([{ file: "ugate.yaml", text }], protocols, {
      get: () => undefined,
    });
    return warnings.filter((text) => /nothing (uses|to do)/.test(text)).length;
  };
  const own = await authority.issue(["*.mesh.example.com"]),
    other = await authority.issue(["www.example.com"]);
  const using = ({ chainFile, keyFile }: typeof own) =>
    `certificates: [{ cert: ${chainFile}, key: ${keyFile} }]\n`;
  const ssh = "ssh: { authorizedKeys: [DIR/full] }\n", named = `node: { domain: mesh.example.com }\n${ssh}`;
  equal(await told(named + using(own)), 0);
  equal(await told(named + using(other)), 1);
  equal(await told(`${named}routes: [{ protocol: ssh, to: "x:22" }]\n${using(own)}`), 1);
  equal(await told(`${named}acme: {}\n`), 0);
  equal(await told(`${ssh}acme: {}\n`), 1);
});

Deno.test("a name that a line permits and that does not end as names do is warned of, with what would help", async () => {
  await using folder = await Folder.make();
  const hosts = [
    "pi.mesh.example:80",
    "pi:80",
    "*:80",
    "*.mesh.example:80",
    "8080",
    "localhost:81",
    "0.0.0.0:82",
  ];
  const options = hosts.map((host) => `permitlisten="${host}"`).join(",");
  await folder.write("named", `${options} ${KEY}\n`);
  const ssh = "ssh: { authorizedKeys: [DIR/named] }\n";
  const told = async (rest: string) =>
    (await warnings(folder, ssh + rest, "nobody can register"))
      .map((text) => text.replace(/^.*nobody can register /, ""));
  const without = ", which permitlisten has: names end in .m; node.domain says in what else";
  equal(await told(""), [`pi.mesh.example${without}`, `pi${without}`]);
  equal(await told("node: { domain: mesh.example }\n"), [
    "pi, which permitlisten has: names end in .mesh.example",
  ]);
});
