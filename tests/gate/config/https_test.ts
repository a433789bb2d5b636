/** What a configuration says of requests over TLS: who ends it, who passes it on, and how targets are spoken to. */
import { ConfigurationError, type Loaded, parseConfiguration } from "../../../gate/config/load.ts";
import { compileSnapshot, makeNumbering } from "../../../gate/config/compile.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder } from "../../support/child.ts";

const authority = await Authority.make("https");
const site = await authority.issue(["a.example", "*.b.example"]);
openssl(); // it stays open: not in a test
const CERTIFICATES = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;

const parsed = (text: string): Promise<Loaded> =>
  parseConfiguration([{ file: "ugate.yaml", text }], protocols, { get: () => undefined });

async function problemsOf(text: string): Promise<string> {
  const fault = await parsed(text).then(() => undefined, (thrown) => thrown);
  ok(fault instanceof ConfigurationError, `expected mistakes, got ${fault}`);
  return fault.problems.map(({ place, path, message }) => `${place} ${path}: ${message}`).join("\n");
}

const file = (routes: string, { certificates = CERTIFICATES, listener = "", protocols = "tls, http" } = {}) =>
  `listeners: { edge: { address: ":443", protocols: [${protocols}]${listener} } }\nroutes: [${routes}]\n${certificates}\n`;
const warningsOf = async (...given: Parameters<typeof file>) => (await parsed(file(...given))).warnings;

Deno.test("routes of requests use certificates, and are told where they have none", async () => {
  for (const host of ["a.example", "x.b.example", '"*.b.example"', '"*"']) {
    equal(await warningsOf(`{ host: ${host}, to: "http://h:80" }`), []);
  }
  equal(await warningsOf('{ to: "http://h:80" }'), []);
  const lacking = await warningsOf(
    '{ host: c.example, to: "http://h:80" }, { host: a.example, to: "http://h:80" }',
  );
  equal(lacking, [
    "ugate.yaml:2:10 routes[0]: TLS for it is refused: no certificate has a name of c.example in certificates",
  ]);
  const none = await warningsOf('{ to: "http://h:80" }', { certificates: "" });
  ok(/routes\[0\]: TLS for it is refused: there is no certificate/.test(none.join()), none.join());
  equal(await warningsOf('{ to: "http://h:80" }', { certificates: "", protocols: "http" }), []);
  const passed = '{ host: c.example, to: "http://h:80" }, { host: "*", to: "t:443" }';
  equal((await warningsOf(passed)).filter((warning) => !warning.includes("nothing uses them")), []);
});

Deno.test("certificates that no route can use are told of", async () => {
  const unused = /certificates: nothing uses them/;
  ok(
    unused.test(
      (await warningsOf('{ protocol: http, to: "http://h:80" }, { host: a.example, to: "t:443" }')).join(),
    ),
  );
  ok(unused.test((await warningsOf('{ to: "http://h:80" }', { protocols: "http" })).join()));
});

Deno.test("of one name all routes end TLS or all pass it on, and the error names both places", async () => {
  const handled = '{ host: a.example, to: "http://h:80" }', passed = '{ host: a.example, to: "t:443" }';
  equal(
    await problemsOf(file(`${handled}, ${passed}`)),
    "ugate.yaml:2:50 routes[1]: passes on TLS of a.example, and ugate.yaml:2:10 routes[0] ends it before: of one " +
      "name all routes do the same",
  );
  equal(
    await problemsOf(file(`${passed}, ${handled}`)),
    "ugate.yaml:2:44 routes[1]: ends TLS of a.example, and ugate.yaml:2:10 routes[0] passes it on before: of one " +
      "name all routes do the same",
  );
  for (const wider of ['"*.example"', '"*"']) {
    ok(/routes\[1\]: ends TLS/.test(await problemsOf(file(`{ host: ${wider}, to: "t:443" }, ${handled}`))));
    ok(
      /routes\[1\]: passes on/.test(
        await problemsOf(file(`{ host: ${wider}, to: "http://h:80" }, ${passed}`)),
      ),
    );
  }
  ok(
    /routes\[1\]: passes on/.test(
      await problemsOf(file(`{ to: "http://h:80" }, { protocol: tls, to: "t:443" }`)),
    ),
  );
});

Deno.test("another name, another listener, a name without certificate and what is behind may be passed on", async () => {
  const two = (first: string, second: string) =>
    `listeners:
  web: { address: ":80", protocols: [http] }
  edge: { address: ":443", protocols: [tls, http] }
  back: { address: ":444", protocols: [tls] }
routes: [${first}, ${second}]
${CERTIFICATES}`;
  const handled = '{ host: a.example, to: "http://h:80" }';
  await parsed(two(handled, '{ listener: back, host: a.example, to: "t:443" }'));
  ok(/passes on/.test(await problemsOf(two(handled, '{ listener: edge, host: a.example, to: "t:443" }'))));
  await parsed(file(`${handled}, { host: x.b.example, to: "t:443" }`));
  await parsed(file(`${handled}, { host: "*", to: "t:443" }`));
  await parsed(file('{ host: c.example, to: "http://h:80" }, { host: c.example, to: "t:443" }'));
  await parsed(file('{ host: x.b.example, to: "t:443" }, { host: "*.b.example", to: "http://h:80" }'));
});

Deno.test("tls: terminate beside requests is for TLS alone, and needs a certificate", async () => {
  const { config } = await parsed(file('{ host: a.example, tls: terminate, to: "http://h:80" }'));
  equal([config.routes[0].http?.secureOnly, config.routes[0].tls], [true, "terminate"]);
  equal(
    (await parsed(file('{ host: a.example, to: "http://h:80" }'))).config.routes[0].http?.secureOnly,
    undefined,
  );
  ok(/no certificate has a name of c\.example/.test(
    await problemsOf(file('{ host: c.example, tls: terminate, to: "http://h:80" }')),
  ));
});

Deno.test("clients' certificates are asked for where TLS ends for requests", async () => {
  const listener = `, clientCertificates: { ca: "${authority.root.chainFile}" }`;
  equal(await warningsOf('{ host: a.example, to: "http://h:80" }', { listener }), []);
  ok(/no route of this listener ends TLS/.test(
    await problemsOf(file('{ host: c.example, to: "http://h:80" }', { listener })),
  ));
});

Deno.test("targets over TLS: alone, in lists, weighted, beside others; with their credentials", async () => {
  const me = await authority.issue(["me.example"]);
  const tls = `upstreamTls: { ca: "${authority.root.chainFile}", serverName: Up.Example, ` +
    `certificate: "${me.chainFile}", key: "${me.keyFile}" }`;
  const routes = `{ host: a.example, to: "https://h:443" }, ` +
    `{ to: ["https://h:443", "http://h:80", { to: "https://[::1]:8443", weight: 3 }], ${tls} }`;
  const loaded = await parsed(file(routes, { protocols: "http", certificates: "" }));
  const [plain, { to, upstreamTls }] = loaded.config.routes;
  equal(plain.to, [{ target: { host: "h", port: 443 }, weight: 1, http: true, secure: true }]);
  equal(to.map(({ secure, weight }) => [secure, weight]), [[true, 1], [undefined, 1], [true, 3]]);
  equal([upstreamTls?.serverName, upstreamTls?.insecure], ["up.example", false]);
  equal(
    loaded.references.map(({ path }) => path).sort(),
    [authority.root.chainFile, me.chainFile, me.keyFile].sort(),
  );
  const told = JSON.stringify([loaded.config, loaded.shown, loaded.references, loaded.texts]);
  ok(!told.includes("PRIVATE") && !told.includes(me.key.slice(40, 80)));
  const compiling = {
    version: 1,
    numbering: makeNumbering(),
    users: {},
    setName: () => "",
    digestsOf: () => ({}),
    format: "json" as const,
    issued: [],
  };
  const { routes: rules } = compileSnapshot(loaded.config, { ...compiling, credentials: loaded.credentials });
  const { digest, roots, serverName, keyPair } = rules[1].upstreamTls!;
  equal([digest, roots, serverName, keyPair?.key], [
    ...[upstreamTls!.digest!, authority.root.chain, "up.example", me.key],
  ]);
  equal(rules[0].upstreamTls, undefined);
  equal(new Set([rules[0], rules[1]].flatMap(({ to }) => to).map(({ health }) => health)).size, 4);
});

Deno.test("the digest of what targets are spoken to with follows the files", async () => {
  await using folder = await Folder.make();
  const ca = await folder.write("ca.pem", authority.root.chain);
  const text = file(`{ to: "https://h:443", upstreamTls: { ca: "${ca}" } }`, {
    protocols: "http",
    certificates: "",
  });
  const digest = async () => (await parsed(text)).config.routes[0].upstreamTls?.digest;
  const before = await digest();
  equal(await digest(), before);
  await folder.write("ca.pem", (await Authority.make("next")).root.chain);
  ok(await digest() !== before);
});

Deno.test("what is wrong with how targets are spoken to is told at its place", async () => {
  const said = (keys: string, to = "https://h:443") =>
    problemsOf(file(`{ to: "${to}", upstreamTls: { ${keys} } }`, { protocols: "http", certificates: "" }));
  ok(/routes\[0\]\.upstreamTls: needs a to of https:\/\//.test(await said("insecure: true", "http://h:80")));
  ok(
    /upstreamTls: needs a to of https/.test(
      await problemsOf(file('{ host: a.example, to: "h:80", upstreamTls: {} }')),
    ),
  );
  ok(
    /upstreamTls\.insecure: excludes ca/.test(
      await said(`insecure: true, ca: "${authority.root.chainFile}"`),
    ),
  );
  ok(/upstreamTls\.certificate: needs key/.test(await said(`certificate: "${site.chainFile}"`)));
  ok(/upstreamTls\.key: needs certificate/.test(await said(`key: "${site.keyFile}"`)));
  ok(/upstreamTls\.ca: Cannot read \/no: there is no such file/.test(await said("ca: /no")));
  ok(/upstreamTls\.key: Cannot use a private key: it does not belong/.test(
    await said(`certificate: "${site.chainFile}", key: "${authority.root.keyFile}"`),
  ));
  ok(/upstreamTls\.serverName: expected a name or an IP/.test(await said('serverName: "a b"')));
  ok(
    /routes\[0\]\.to: a socket has no name to verify/.test(
      await said("insecure: true", "https://unix:/run/x"),
    ),
  );
  ok(
    /routes\[0\]\.to: expected a target with its port, such as https:\/\/h:443/.test(
      await said("", "https://h"),
    ),
  );
  const { warnings } = await parsed(
    file('{ to: "https://h:443", upstreamTls: { insecure: true } }', { protocols: "http", certificates: "" }),
  );
  equal(warnings, [
    "ugate.yaml:2:58 routes[0].upstreamTls.insecure: whoever answers for its https:// targets is believed",
  ]);
});
