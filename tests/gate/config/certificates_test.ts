import { ConfigurationError, type Loaded, parseConfiguration } from "../../../gate/config/load.ts";
import { compileSnapshot, makeNumbering } from "../../../gate/config/compile.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder, run, succeed } from "../../support/child.ts";
import { MAIN } from "../../support/program.ts";

const authority = await Authority.make("config");
const site = await authority.issue(["a.example", "*.b.example"]);
const other = await authority.issue(["other.example"]);
openssl(); // it stays open: not in a test
const pair = (issued = site) => `{ cert: "${issued.chainFile}", key: "${issued.keyFile}" }`;
const EDGE = 'edge: { address: ":443", protocols: [tls, ssh] }';

const parsed = (text: string, base?: string): Promise<Loaded> =>
  parseConfiguration([{ file: "ugate.yaml", text, base }], protocols, { get: () => undefined });

async function problemsOf(text: string): Promise<string[]> {
  const fault = await parsed(text).then(() => undefined, (thrown) => thrown);
  ok(fault instanceof ConfigurationError, `expected mistakes, got ${fault}`);
  return fault.problems.map(({ place, path, message }) => `${place} ${path}: ${message}`);
}

const file = (route: string, certificates = pair(), listener = EDGE): string =>
  `listeners: { ${listener} }\nroutes: [${route}, { protocol: ssh, to: "127.0.0.1:22" }]\ncertificates: [${certificates}]\n`;

Deno.test("a certificate is read with its names, and its key is nowhere that is told", async () => {
  const loaded = await parsed(file("{ host: a.example, tls: terminate }"));
  const [certificate] = loaded.config.certificates;
  equal(certificate.names, ["a.example", "*.b.example"]);
  equal(certificate.file, site.chainFile);
  equal(certificate.place, "ugate.yaml:3:16 certificates[0]");
  ok(certificate.notAfter > Date.now() && certificate.notBefore <= Date.now());
  equal(loaded.warnings, []);
  equal(loaded.references.map(({ path }) => path).sort(), [site.chainFile, site.keyFile].sort());
  const [{ chain, key, der }] = loaded.credentials.keyPairs;
  equal([chain, key, der?.type], [site.chain, site.key, "ec"]);
  const told = JSON.stringify([loaded.config, loaded.shown, loaded.references, loaded.texts]);
  ok(!told.includes("PRIVATE") && !told.includes(site.key.slice(40, 80)));
  const { certificates } = compileSnapshot(loaded.config, {
    version: 1,
    numbering: makeNumbering(),
    users: {},
    setName: () => "",
    digestsOf: () => ({}),
    format: "json",
    credentials: loaded.credentials,
    issued: [],
  });
  equal(certificates[0].key, site.key);
});

Deno.test("keys of every kind are read, those of P-256 and RSA in the form that is quickest", async () => {
  const kinds: [string, string[], string | undefined][] = [
    ["rsa", ["-newkey", "rsa:2048"], "rsa"],
    ["p384", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "ec"],
    ["ed25519", ["-newkey", "ed25519"], undefined],
  ];
  for (const [name, key, type] of kinds) {
    const issued = await authority.issue([`${name}.example`], key);
    const { credentials } = await parsed(file(`{ host: ${name}.example, tls: terminate }`, pair(issued)));
    equal(credentials.keyPairs[0].der?.type, type);
  }
  const old = `${authority.folder.path}/sec1.key`; // as `openssl ecparam -genkey` has it, its parameters in front
  await succeed("openssl", ["ec", "-in", site.keyFile, "-out", old]);
  const parameters = (await succeed("openssl", ["ecparam", "-name", "prime256v1"])).stdout;
  await Deno.writeTextFile(old, parameters + await Deno.readTextFile(old));
  const { credentials } = await parsed(
    file("{ host: a.example, tls: terminate }", `{ cert: "${site.chainFile}", key: "${old}" }`),
  );
  ok(credentials.keyPairs[0].key.includes("EC PARAMETERS"));
});

Deno.test("a relative path is from the file that names it, a trial's from the file whose place it takes", async () => {
  const { folder } = authority, name = (path: string) => path.slice(folder.path.length + 1);
  const certificates = `{ cert: ${name(site.chainFile)}, key: ./${name(site.keyFile)} }`;
  const text = file("{ host: a.example, tls: terminate }", certificates);
  equal((await parsed(text, `${folder.path}/any.yaml`)).config.certificates[0].file, site.chainFile);
  const named = await parseConfiguration([{ file: `${folder.path}/x.yaml`, text }], protocols);
  equal(named.config.certificates[0].file, site.chainFile);
});

Deno.test("what is wrong with a file is told where it is named", async () => {
  await using folder = await Folder.make();
  const bad = await folder.write("bad.pem", "not a certificate");
  const weak = await authority.issue(["weak.example"], ["-newkey", "rsa:1024"]);
  const nameless = `${folder.path}/nameless`;
  await succeed("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a.example".split(" "),
    ...["-keyout", `${nameless}.key`, "-out", `${nameless}.pem`],
  ]);
  const route = "{ host: a.example, tls: terminate }";
  const one = async (certificates: string) => (await problemsOf(file(route, certificates))).join("\n");
  const at = "ugate\\.yaml:3:\\d+ certificates\\[0\\]";
  const expected: [string, RegExp][] = [
    [
      `{ cert: /no/such.pem, key: "${site.keyFile}" }`,
      new RegExp(`^${at}\\.cert: Cannot read /no/such\\.pem: there is no such file$`),
    ],
    [`{ cert: "${bad}", key: "${site.keyFile}" }`, new RegExp(`^${at}\\.cert: expected certificates in PEM`)],
    [
      `{ cert: "${site.keyFile}", key: "${site.keyFile}" }`,
      new RegExp(`^${at}\\.cert: .*: it has a private key alone$`),
    ],
    [
      `{ cert: "${site.chainFile}", key: "${site.chainFile}" }`,
      new RegExp(`^${at}\\.key: .*: it has certificates alone$`),
    ],
    [
      `{ cert: "${site.chainFile}", key: "${other.keyFile}" }`,
      new RegExp(`^${at}\\.key: Cannot use a private key: it does not belong`),
    ],
    [
      `{ cert: "${site.chainFile}", key: "${folder.path}" }`,
      new RegExp(`^${at}\\.key: Cannot read .*: expected a file`),
    ],
    [pair(weak), new RegExp(`^${at}\\.cert: Cannot use a certificate: .*small`)],
    [
      `{ cert: "${nameless}.pem", key: "${nameless}.key" }`,
      new RegExp(`^${at}\\.cert: expected names in its subjectAltName`),
    ],
    [
      `{ cert: "${site.chainFile}" }`,
      /^ugate\.yaml:3:\d+ certificates\[0\]\.key: expected the path of a file/,
    ],
  ];
  for (const [certificates, pattern] of expected) {
    const said = await one(certificates);
    ok(pattern.test(said), `${pattern} of ${said}`);
  }
});

Deno.test("a key that is written where its path belongs is not told", async () => {
  const [problem] = await problemsOf(
    file("{ host: a.example, tls: terminate }", `{ cert: x, key: ${JSON.stringify(site.key)} }`),
  );
  ok(/certificates\[0\]\.key: expected the path/.test(problem) && !problem.includes("BEGIN"), problem);
});

Deno.test("what ends TLS needs a certificate of its name, and nothing but TLS ends", async () => {
  const none = /^ugate\.yaml:2:\d+ routes\[0\]\.tls: Cannot end TLS here: no certificate has a name of/;
  for (const host of ["c.example", "x.y.b.example", '"*.c.example"']) {
    const [problem] = await problemsOf(file(`{ host: ${host}, tls: terminate }`));
    ok(none.test(problem), problem);
  }
  equal(
    await problemsOf(
      `listeners: { ${EDGE} }\nroutes: [{ tls: terminate, to: "127.0.0.1:1" }, { protocol: ssh, to: "127.0.0.1:22" }]\n`,
    ),
    [
      "ugate.yaml:2:17 routes[0].tls: Cannot end TLS here: there is no certificate in certificates; " +
      "a wildcard takes a file, or acme.names of the names below it",
    ],
  );
  equal(await problemsOf(file('{ protocol: ssh, tls: terminate, to: "127.0.0.1:1" }')), [
    "ugate.yaml:2:10 routes[0]: can never match: ssh names no host",
    "ugate.yaml:2:32 routes[0].tls: only tls can end here, and this route is for ssh",
  ]);
  for (const host of ["a.example", "x.b.example", '"*.b.example"', '"*.example"', '"*"']) {
    equal((await parsed(file(`{ host: ${host}, tls: terminate }`))).config.routes[0].tls, "terminate");
  }
  equal((await parsed(file("{ tls: terminate }"))).config.routes[0].host, "*");
});

Deno.test("a route without to ends TLS, and has no keys of targets", async () => {
  const said = async (route: string) => (await problemsOf(file(route))).join("\n");
  ok(/routes\[0\]\.to: expected a target.*, or tls: terminate/.test(await said("{ host: a.example }")));
  ok(/routes\[0\]\.check: needs to/.test(await said("{ host: a.example, tls: terminate, check: {} }")));
  ok(/needs to: where/.test(await said("{ host: a.example, tls: terminate, proxyProtocol: v2 }")));
  ok(/tls: expected terminate, got/.test(await said("{ host: a.example, tls: passthrough }")));
  const edge = 'edge: { address: ":443", protocols: [tls, http, ssh] }';
  for (
    const [key, value] of Object.entries({
      ...{ path: "/x", encodedSlash: "keep", method: "GET", headers: "{ a: b }", query: "{ a: b }" },
      ...{ bodySize: "1KiB", rateLimit: "{ requests: 1, per: 1s }", auth: "{ basic: { a: b } }" },
      ...{ timeout: "1s", retries: "{}", mirror: "'http://h:80'", compress: "[gzip]" },
    })
  ) {
    const route = `{ host: a.example, tls: terminate, ${key}: ${value} }`;
    const [problem, ...more] = await problemsOf(file(route, pair(), edge));
    ok(problem.includes(` routes[0].${key}: needs to`) && more.length === 0, `${problem} ${more}`);
  }
});

Deno.test("routes of one name all end TLS or all pass it on; of several the first decides", async () => {
  const both = '{ host: a.example, tls: terminate }, { host: a.example, to: "127.0.0.1:1" }';
  ok(
    /routes\[1\]: can never match: .*routes\[0\] takes all of it/.test((await problemsOf(file(both))).join()),
  );
  const mixed = '{ host: a.example, to: "127.0.0.1:1" }, { host: "*.b.example", tls: terminate }, ' +
    '{ host: "*", to: "127.0.0.1:2" }';
  equal((await parsed(file(mixed))).warnings, []);
});

Deno.test("client certificates are for listeners where TLS ends, with roots that can be read", async () => {
  const listener = (clients: string, list = "tls, ssh") =>
    `edge: { address: ":443", protocols: [${list}], clientCertificates: { ${clients} } }`;
  const ca = `ca: "${authority.root.chainFile}"`, route = "{ host: a.example, tls: terminate }";
  const required = (await parsed(file(route, pair(), listener(ca)))).config.listeners.edge
    .clientCertificates!;
  equal([required.require, required.ca], [true, authority.root.chainFile]);
  const optional = (await parsed(file(route, pair(), listener(`require: false, ${ca}`)))).config;
  equal(optional.listeners.edge.clientCertificates!.require, false);
  ok(optional.listeners.edge.clientCertificates!.digest !== required.digest);
  const said = async (listener: string, routes = route) =>
    (await problemsOf(file(routes, pair(), listener))).join("\n");
  ok(/clientCertificates\.ca: Cannot read \/no: there is no such file/.test(await said(listener("ca: /no"))));
  ok(
    /clientCertificates\.ca: expected certificates: it has a private key alone/.test(
      await said(listener(`ca: "${site.keyFile}"`)),
    ),
  );
  const many = `${authority.folder.path}/many.pem`;
  await Deno.writeTextFile(many, authority.root.chain.repeat(17));
  const { warnings } = await parsed(file(route, pair(), listener(`ca: "${many}"`)));
  ok(/clientCertificates\.ca: 17 roots hold an engine up/.test(warnings.join()), warnings.join());
  ok(/clientCertificates\.ca: expected the path/.test(await said(listener("require: true"))));
  ok(/require: expected true or false/.test(await said(listener(`require: maybe, ${ca}`))));
  ok(
    /clientCertificates: needs tls/.test(
      await said(listener(ca, "ssh"), '{ host: a.example, to: "127.0.0.1:1" }'),
    ),
  );
  ok(
    /no route of this listener ends TLS/.test(
      await said(listener(ca), '{ host: a.example, to: "127.0.0.1:1" }'),
    ),
  );
});

Deno.test("certificates that are late, doubled or unused are told of, and hold", async () => {
  const expired = `${authority.folder.path}/expired`;
  await succeed("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days -1 -subj /CN=x".split(" "),
    ...["-addext", "subjectAltName=DNS:a.example", "-keyout", `${expired}.key`, "-out", `${expired}.pem`],
  ]).catch(() => {}); // newer versions refuse to make one
  const has = await Deno.stat(`${expired}.pem`).then(() => true, () => false);
  const route = "{ host: a.example, tls: terminate }";
  if (has) {
    const { warnings } = await parsed(file(route, `{ cert: "${expired}.pem", key: "${expired}.key" }`));
    ok(/certificates\[0\]\.cert: it expired on \d{4}-/.test(warnings.join()), warnings.join());
  }
  ok(/a\.example is in the certificate of .*certificates\[0\], which/.test(
    (await parsed(file(route, `${pair()}, ${pair()}`))).warnings.join(),
  ));
  ok(
    /nothing uses them/.test((await parsed(file('{ host: a.example, to: "127.0.0.1:1" }'))).warnings.join()),
  );
});

Deno.test("check tells where TLS ends and with what; without libssl it names the package, and so does run", async () => {
  await using folder = await Folder.make();
  const text = file(
    '{ host: a.example, tls: terminate, to: "127.0.0.1:80" }, { host: "*.b.example", tls: terminate }, ' +
      '{ host: y.b.example, path: /x, to: "http://h:80" }, { host: y.b.example, to: "https://h:443" }',
    pair(),
    'edge: { address: ":443", protocols: [tls, ssh, http] }',
  );
  const path = await folder.write("ugate.yaml", text.replace(":443", "127.0.0.1:0"));
  const { stdout } = await succeed(Deno.execPath(), ["run", "-A", MAIN, "check", "-c", path]);
  ok(stdout.includes(`certificate ${site.chainFile}: a.example, *.b.example, until 2`), stdout);
  ok(stdout.includes(`TLS of a.example ends here, with ${site.chainFile}: 127.0.0.1:80`), stdout);
  ok(
    stdout.includes(`TLS of *.b.example ends here, with ${site.chainFile}: what is inside comes in again`),
    stdout,
  );
  const handled =
    `TLS of y.b.example ends here, with ${site.chainFile}: each request takes a route of its own`;
  equal(stdout.split(handled).length, 2, stdout);
  for (const name of ["libcrypto.so.3", "libssl.so.3"]) {
    await folder.write(name, "OpenSSL 9.9.9 is the newest, and none");
  }
  const env = { LD_LIBRARY_PATH: folder.path };
  for (const verb of ["check", "run"]) {
    const { code, stderr } = await run(Deno.execPath(), ["run", "-A", MAIN, verb, "-c", path], { env });
    equal(code, 1, stderr);
    ok(/certificates\[0\].*Cannot speak TLS: .*install OpenSSL 3 \(Debian: libssl3/.test(stderr), stderr);
  }
});
