/** `acme` in ugate.yaml: which names an authority is asked for, and what is wrong with it. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { differences } from "../../../gate/config/differences.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { protocols } from "../../../protocols/mod.ts";

openssl(); // stays loaded

const authority = await Authority.make("acme");
const site = await authority.issue(["filed.example", "*.filed.example"]);
const FILES = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;
const EDGE =
  'listeners: { edge: { address: ":443", protocols: [tls, http] }, web: { address: ":80", protocols: [http] } }';
const parsed = (text: string) =>
  parseConfiguration([{ file: "ugate.yaml", text }], protocols, { get: () => undefined });

async function problemsOf(text: string): Promise<string[]> {
  const thrown = await parsed(text).then(() => undefined, (error) => error);
  ok(thrown instanceof ConfigurationError, `expected mistakes, got ${thrown}`);
  return thrown.message.split("\n");
}

const routes = (...lines: string[]) => `${EDGE}\nroutes:\n${lines.map((line) => `  - ${line}\n`).join("")}`;

Deno.test("names are those of acme.names and exact hosts of routes that end TLS, without those of files", async () => {
  const { config: { acme }, warnings } = await parsed(`${
    routes(
      '{ host: passed.example, to: "127.0.0.1:1" }',
      '{ host: Bare.Example, tls: terminate, to: "127.0.0.1:1" }',
      '{ host: web.example, to: "http://127.0.0.1:1" }',
      '{ host: filed.example, to: "http://127.0.0.1:1" }',
      '{ host: a.filed.example, tls: terminate, to: "127.0.0.1:1" }',
      '{ host: "*.wild.example", to: "http://127.0.0.1:1" }',
      '{ host: clear.example, listener: web, to: "http://127.0.0.1:1" }',
    )
  }${FILES}\nacme: { names: [x.wild.example, web.example] }`);
  equal(acme?.names, ["bare.example", "web.example", "x.wild.example"]);
  equal(acme?.challenges, ["tls-alpn-01", "http-01"]);
  equal(warnings, []);
});

Deno.test("a host whose TLS a route passes on is nobody's to certify, though its clear requests are handled", async () => {
  const { config: { acme } } = await parsed(`${
    routes(
      '{ host: one.example, to: "127.0.0.1:1" }',
      '{ host: one.example, to: "http://127.0.0.1:1" }',
      '{ host: two.example, to: "http://127.0.0.1:1" }',
      '{ host: two.example, to: "127.0.0.1:1" }',
      '{ host: in.three.example, to: "http://127.0.0.1:1" }',
      '{ host: "*.three.example", to: "127.0.0.1:1" }',
    )
  }acme: {}`);
  equal(acme?.names, ["in.three.example"]);
});

Deno.test("the directory is Let's Encrypt's, its staging one, or a URL; /config shows it", async () => {
  const text = (acme: string) =>
    `${routes('{ host: a.example, tls: terminate, to: "127.0.0.1:1" }')}acme: ${acme}`;
  const directories = ["{}", "{ directory: staging }", '{ directory: "https://ca.example:14000/dir" }'];
  const found = await Promise.all(
    directories.map(async (acme) => (await parsed(text(acme))).config.acme?.directory),
  );
  equal(found, [
    "https://acme-v02.api.letsencrypt.org/directory",
    "https://acme-staging-v02.api.letsencrypt.org/directory",
    "https://ca.example:14000/dir",
  ]);
  const { shown } = await parsed(text("{}"));
  equal((shown as Record<string, unknown>).acme, { directory: found[0] });
});

Deno.test("what is wrong with it has its place", async () => {
  const route = '{ host: a.example, tls: terminate, to: "127.0.0.1:1" }';
  const wrong: [acme: string, said: RegExp][] = [
    ['{ directory: "http://ca.example/" }', /acme\.directory: expected a URL that begins with https:\/\//],
    ['{ directory: "https://me:secret@ca.example/" }', /^(?!.*secret).*acme\.directory: expected a URL/],
    ["{ email: nobody }", /acme\.email: expected an address such as/],
    [
      '{ names: ["*.example"] }',
      /acme\.names\[0\]: expected a name \(for a wildcard .* give a file\), got "\*\.example"/,
    ],
    ["{ ca: /nowhere.pem }", /acme\.ca: Cannot read \/nowhere\.pem: there is no such file/],
    ["{ staging: true }", /acme\.staging: unknown key/],
    ["", /acme: expected a map/],
  ];
  for (const [acme, said] of wrong) {
    const problems = await problemsOf(`${routes(route)}acme: ${acme}\n`);
    ok(problems.length === 1 && said.test(problems[0]), problems.join("\n"));
  }
  const silent =
    'listeners: { s: { address: ":22", protocols: [ssh] } }\nroutes: [{ protocol: ssh, to: "a:22" }]\n';
  equal(await problemsOf(`${silent}acme: { names: [a.example] }`), [
    "ugate.yaml:3:7 acme: no listener has tls or http among its protocols, by which an authority asks",
  ]);
  const { warnings } = await parsed(`${routes('{ to: "http://127.0.0.1:1" }')}acme: {}`);
  ok(warnings.some((warning) => /acme: it has nothing to do/.test(warning)), warnings.join());
  const without = await problemsOf(
    `${routes('{ host: "*.a.example", tls: terminate, to: "127.0.0.1:1" }')}acme: {}`,
  );
  ok(
    /routes\[0\]\.tls: Cannot end TLS here: no certificate has a name of \*\.a\.example/.test(without[0]),
    without[0],
  );
});

Deno.test("a listener that speaks http for the authority alone is no mistake", async () => {
  const text = routes('{ host: a.example, listener: edge, tls: terminate, to: "127.0.0.1:1" }');
  equal((await parsed(`${text}acme: {}`)).warnings, []);
  const { warnings } = await parsed(`${text}${FILES}`.replace("a.example", "filed.example"));
  ok(warnings.some((warning) => /listeners\.web: no route takes http/.test(warning)), warnings.join());
});

Deno.test("a reload tells what is different", async () => {
  const text = (acme: string) => `${routes('{ host: a.example, tls: terminate, to: "127.0.0.1:1" }')}${acme}`;
  const { config: before } = await parsed(text("acme: {}"));
  const ca = authority.root.chainFile;
  const { config: after } = await parsed(
    text(`acme: { directory: staging, names: [b.example], ca: "${ca}" }`),
  );
  const { changes } = differences(before, after);
  equal(changes.filter((change) => change.startsWith("acme.")).map((change) => change.split(":")[0]), [
    "acme.directory",
    "acme.ca",
    "acme.names",
  ]);
  equal(differences(after, after).changes, []);
});
