/** `auth`, `issuers` and `trustedProxies`: what they mean together, what is told of them, and what never is. */
import { compileSnapshot, makeNumbering } from "../../../gate/config/compile.ts";
import { differences } from "../../../gate/config/differences.ts";
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { protocols } from "../../../protocols/mod.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

openssl(); // it stays open: not in a test
const env = {
  get: (name: string) =>
    ({ PASSWORD: "hunter2", ISSUER: "https://id.example" } as Record<string, string>)[name],
};
const parsed = (text: string, file = "ugate.yaml") => parseConfiguration([{ file, text }], protocols, env);

async function problemsOf(text: string): Promise<string[]> {
  return await parsed(text).then(
    ({ warnings }) => warnings.map((warning) => `warning ${warning}`),
    (thrown) => {
      if (!(thrown instanceof ConfigurationError)) throw thrown;
      return thrown.message.split("\n");
    },
  );
}

const WEB = `listeners: { web: { address: ":80", protocols: [http] } }\n`;
const ISSUER =
  `issuers: [{ issuer: "https://id.example", jwks: "https://id.example/keys", audiences: [app] }]\n`;
const route = (auth: string, more = "") => `${WEB}routes: [{ to: "http://a:1", auth: ${auth}${more} }]\n`;

Deno.test("a proxy on the same listener asks nobody for the auth of routes: that is told", async () => {
  const text = route("{ basic: { alice: x } }").replace(":80", "127.0.0.1:80").replace(
    "[http]",
    "[http, connect]",
  );
  const [warning, ...others] = (await problemsOf(text)).filter((problem) => problem.includes("auth"));
  ok(/^warning .*routes\[0\]\.auth: web has connect beside http: as a proxy/.test(warning), warning);
  equal(others, []);
});

Deno.test("what is wrong with auth is told at its place, once", async () => {
  const cases: [text: string, problem: RegExp][] = [
    [route("{}"), /:36 routes\[0\]\.auth: expected basic, jwt or certificate$/],
    [route("hunter2"), /auth: expected a map of basic, jwt, certificate, got a text that is not shown$/],
    [
      route('"alice:hunter2"'),
      /auth: expected a map of .*, with a space after each colon, got a text that is not shown$/,
    ],
    [route("{ basic: {} }"), /auth\.basic: expected at least one$/],
    [
      route("{ basic: alice }"),
      /auth\.basic: expected a map of user names and passwords, got a text that is not shown$/,
    ],
    [
      route("{ basic: { alice:hunter2 } }"),
      /auth\.basic\["alice:\*\*\*"\]: expected a user name without a colon$/,
    ],
    [route('{ basic: { "a:b": x } }'), /expected a user name without a colon$/],
    [route('{ basic: { " alice": x } }'), /auth\.basic\[" alice"\]: expected a name without space around it/],
    [
      route("{ basic: { alice: 'scrypt:hunter2' } }"),
      /alice: expected a hash .*, got a text that is not shown$/,
    ],
    ...[
      "$2y$05$abcdefghijklmnopqrstuvwxyz",
      "$apr1$salt$abcdefghijklmnop",
      "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
    ].map(
      (hash): [string, RegExp] => [
        route(`{ basic: { alice: '${hash}' } }`),
        /alice: expected a password, or a hash as `ugate hash` prints it: .* is not read, got a text that is not shown$/,
      ],
    ),
    [route("{ basic: { alice: x }, jwt: { issuer: 'https://id.example' } }") + ISSUER, /jwt: excludes basic/],
    [
      route("{ jwt: { issuer: 'https://id.example', audiences: [app] } }"),
      /jwt\.issuer: issuers has no such issuer$/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.exampel' } }") + ISSUER,
      /issuers has no such issuer; did you mean "https:\/\/id\.example"\?$/,
    ],
    [
      route("{ jwt: { issuer: id.example } }") + ISSUER,
      /jwt\.issuer: expected the URL of an issuer, as .*, got "id\.example"$/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.example' } }") + ISSUER.replace(", audiences: [app]", ""),
      /auth\.jwt: needs audiences, here or of its issuer/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.example', audiences: [] } }") + ISSUER,
      /audiences: expected at least one$/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.example', claims: [a] } }") + ISSUER,
      /claims: expected a map of claims and values/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.example', claims: { a: [b] } } }") + ISSUER,
      /claims\.a: expected a text, got a list$/,
    ],
    [
      route("{ jwt: { issuer: 'https://id.example', clams: {} } }") + ISSUER,
      /clams: unknown key; did you mean "claims"\?$/,
    ],
    [
      route("{ certificate: true }"),
      /auth\.certificate: nobody is asked for one by web: needs clientCertificates there$/,
    ],
    [route("{ certificate: false }"), /auth\.certificate: expected true, got "false"$/],
    [route("{ certificate: yes }"), /auth\.certificate: expected true or false/],
    [`${WEB}routes: [{ to: "a:1", protocol: http, auth: { basic: { a: b } } }]`, /auth: needs a to of http/],
    [
      `${WEB}issuers: [{ issuer: "https://id.example", jwks: "ftp://x/" }]`,
      /jwks: expected an https:\/\/ URL, or the path/,
    ],
    [
      `${WEB}issuers: [{ issuer: "https://id.example", jwks: "https://a:hunter2@x/" }]`,
      /jwks: expected .*, got "https:\/\/\*\*\*@x\/"$/,
    ],
    [
      `${WEB}issuers: [{ issuer: "https://id.example" }]`,
      /jwks: expected an https:\/\/ URL, .*, got nothing$/,
    ],
    [
      `${WEB}${ISSUER.replace("]\n", "")}, { issuer: "https://id.example", jwks: "https://x/" }]`,
      /issuers\[1\]\.issuer: the same as of ugate/,
    ],
    [
      `${WEB}issuers: [{ issuer: "https://id.example", jwks: /none.json }]`,
      /jwks: Cannot read keys of \/none\.json: there is no such file$/,
    ],
    [
      `listeners: { web: { address: ":80", protocols: [tls], trustedProxies: 10.0.0.0/8 } }`,
      /trustedProxies: needs http among/,
    ],
    [WEB.replace("[http]", "[http], trustedProxies: 10.0.0.0/99"), /trustedProxies: expected a network/],
  ];
  for (const [text, problem] of cases) {
    const problems = await problemsOf(text);
    ok(problems.length === 1 && problem.test(problems[0]), `${text}\n${problems.join("\n")}`);
    ok(!problems.join().includes("hunter2"), problems.join());
  }
});

Deno.test("keys that come in clear from elsewhere are warned of, from this machine they are not", async () => {
  const warnings = async (
    url: string,
  ) => (await problemsOf(
    `${route("{ basic: { a: b } }")}issuers: [{ issuer: "https://id.example", jwks: "${url}" }]`,
  ));
  equal((await warnings("http://id.example/keys")).length, 1);
  ok(
    /keys come in clear: who is on the way to them can sign tokens$/.test(
      (await warnings("http://10.0.0.1/"))[0],
    ),
  );
  for (
    const url of ["https://id.example/", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:8080/k"]
  ) {
    equal(await warnings(url), [], url);
  }
});

const ALL = `
listeners: { web: { address: ":80", protocols: [http], trustedProxies: [10.0.0.0/8] } }
routes:
  - { path: /admin, to: "http://a:1", auth: { basic: { alice: "\${PASSWORD}", bob: hunter2 } } }
  - { to: "http://a:1", auth: { jwt: { issuer: "\${ISSUER}", claims: { admin: true, level: 3 } } } }
issuers: [{ issuer: "https://id.example", jwks: "https://id.example/keys", audiences: [app, other] }]
`;

Deno.test("what is shown means the same, and has no password; nor have engines", async () => {
  const { config, shown } = await parsed(ALL);
  const told = JSON.stringify(shown);
  ok(!told.includes("hunter2"), told);
  const { routes, issuers, listeners } = shown as Record<string, Record<string, unknown>[]>;
  equal(routes.map(({ auth }) => auth), [
    { basic: { alice: "***", bob: "***" } },
    { jwt: { issuer: "${ISSUER}", claims: { admin: "true", level: "3" } } },
  ]);
  equal(issuers, [{
    issuer: "https://id.example",
    jwks: "https://id.example/keys",
    audiences: ["app", "other"],
  }]);
  equal((listeners as unknown as Record<string, Record<string, unknown>>).web.trustedProxies, ["10.0.0.0/8"]);
  equal(config.routes.map(({ http }) => http?.auth?.basic), [
    { alice: "hunter2", bob: "hunter2" },
    undefined,
  ]);
  const snapshot = compileSnapshot(config, {
    version: 1,
    numbering: makeNumbering(),
    users: {},
    setName: (users) => `set/${Object.keys(users)}`,
    digestsOf: (users) => Object.fromEntries(Object.keys(users).map((user) => [user, `digest of ${user}`])),
    format: "json",
    credentials: { keyPairs: [], roots: {}, upstreams: {} },
    issued: [],
  });
  ok(!JSON.stringify(snapshot).includes("hunter2"));
  equal(snapshot.routes.map(({ http }) => http!.auth), [
    {
      basic: {
        users: "set/alice,bob",
        digests: { alice: "digest of alice", bob: "digest of bob" },
        realm: "ugate /admin",
      },
      jwt: undefined,
      certificate: undefined,
    },
    {
      basic: undefined,
      jwt: {
        issuer: "https://id.example",
        audiences: ["app", "other"],
        claims: { admin: "true", level: "3" },
      },
      certificate: undefined,
    },
  ]);
  equal(snapshot.listeners.web.trustedProxies, ["10.0.0.0/8"]);
});

Deno.test("another password, another issuer, another proxy is a change", async () => {
  const { config } = await parsed(ALL);
  const changed = async (from: string, to: string) =>
    differences(config, (await parsed(ALL.replace(from, to))).config).changes;
  equal(await changed("bob: hunter2", "bob: hunter3"), ["routes: 1 new, 1 gone"]);
  equal(await changed("id.example/keys", "id.example/keyring"), ["issuers: https://id.example changed"]);
  equal(await changed("10.0.0.0/8", "10.0.0.0/9"), ["listener web: trustedProxies changed"]);
  equal(await changed("", ""), []);
});

Deno.test("keys in a file are read beside the file that names them, and are part of the configuration", async () => {
  await using folder = await Folder.make();
  const keys = (kid: string) => JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", x: "a", y: "b", kid }] });
  const file = await folder.write("keys.json", keys("one"));
  const text =
    `${WEB}routes: [{ to: "http://a:1" }]\nissuers: [{ issuer: "https://id.example", jwks: keys.json }]\n`;
  const { config, references } = await parsed(text, `${folder.path}/ugate.yaml`);
  equal(config.issuers, [{ issuer: "https://id.example", keys: { file, text: keys("one") } }]);
  equal(references.map(({ path }) => path), [file]);
  await folder.write("keys.json", keys("two"));
  const after = (await parsed(text, `${folder.path}/ugate.yaml`)).config;
  equal(differences(config, after).changes, ["issuers: https://id.example changed"]);
  await folder.write("keys.json", '{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}');
  const broken = await parsed(text, `${folder.path}/ugate.yaml`).then(
    () => "",
    (thrown) => String(thrown.message),
  );
  ok(
    /issuers\[0\]\.jwks: Cannot read keys of .*keys\.json: it has no public key of RSA, EC or OKP$/.test(
      broken,
    ),
    broken,
  );
});

Deno.test("a certificate is asked for by every listener that takes requests of the route", async () => {
  const listener = (name: string, more: string) =>
    `${name}: { address: ":${name.length}", protocols: [${more} }`;
  const asking = "tls, http], clientCertificates: { ca: /none }";
  const text = (...listeners: string[]) =>
    `listeners: { ${listeners.join(", ")} }\nroutes: [{ to: "http://a:1", auth: { certificate: true } }]\n`;
  const silent = async (...listeners: string[]) =>
    (await problemsOf(text(...listeners))).filter((one) => /nobody is asked/.test(one)).map((one) =>
      /by (.*)/.exec(one)![1]
    );
  equal(await silent(listener("a", asking)), []);
  equal(await silent(listener("a", asking), listener("bb", "http]")), [
    "bb: needs clientCertificates there, or listener: a in the route",
  ]);
  equal(await silent(listener("a", "tls, http]"), listener("bb", "http]")), [
    "a, bb: needs clientCertificates there",
  ]);
  equal(await silent(listener("a", asking), listener("bb", "ssh]")), []);
});
