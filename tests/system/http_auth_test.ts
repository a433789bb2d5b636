/** Who makes a request, with curl and openssl: client certificates, passwords, tokens and a key file that is replaced. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Folder, succeed } from "../support/child.ts";
import { TestIssuer } from "../support/issuer.ts";
import { Program } from "../support/program.ts";

const authority = await Authority.make("auth");
const stranger = await Authority.make("stranger");
const site = await authority.issue(["in.example"]);
const client = await authority.issue(["alice"]);
const rogue = await stranger.issue(["alice"]);
const ignore = !need("curl", "openssl");
const ADMIN = 'admin: { address: "127.0.0.1:0" }';
const CERTIFICATES = `certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]`;

/** Answers with the fields of the request that tell who made it. */
const backend = () =>
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    const told = ["x-forwarded-user", "client-cert", "authorization"].map((
      name,
    ) => [name, headers.get(name)]);
    return Response.json(Object.fromEntries(told));
  });

async function curl(...args: string[]): Promise<{ status: number; told: Record<string, string | null> }> {
  const { stdout } = await succeed("curl", ["-sS", "-w", "\n%{http_code}", ...args]);
  const end = stdout.lastIndexOf("\n"), status = Number(stdout.slice(end + 1));
  return { status, told: status === 200 ? JSON.parse(stdout.slice(0, end)) : {} };
}

Deno.test({
  name: "a client certificate that the listener's roots vouch for is told upstream as RFC 9440 says",
  ignore,
  async fn() {
    await using web = backend();
    const to = `http://127.0.0.1:${web.addr.port}`;
    await using program = await Program.start(`
listeners:
  edge:
    address: "127.0.0.1:0"
    protocols: [tls, http]
    clientCertificates: { require: false, ca: "${authority.root.chainFile}" }
routes:
  - { host: in.example, path: /both, to: "${to}", auth: { certificate: true, basic: { alice: secret } } }
  - { host: in.example, path: /open, to: "${to}" }
  - { host: in.example, to: "${to}", auth: { certificate: true } }
${CERTIFICATES}
${ADMIN}`);
    const port = program.port("edge"), ca = ["--cacert", authority.root.chainFile];
    const at = [
      ...ca,
      "--connect-to",
      `::127.0.0.1:${port}`,
      "-H",
      "Client-Cert: :AA==:",
      "-H",
      "Client_Cert: :AA==:",
    ];
    const shown = ["--cert", client.chainFile, "--key", client.keyFile];
    const der = client.chain.split("-----")[2].replaceAll("\n", "");
    equal(await curl(...at, ...shown, "https://in.example/"), {
      status: 200,
      told: { "x-forwarded-user": null, "client-cert": `:${der}:`, authorization: null },
    });
    equal((await curl(...at, "https://in.example/")).status, 403);
    equal(await curl(...at, ...shown, "https://in.example/open"), {
      status: 200,
      told: { "x-forwarded-user": null, "client-cert": null, authorization: null },
    });
    equal((await curl(...at, ...shown, "https://in.example/both")).status, 401);
    equal((await curl(...at, "-u", "alice:secret", "https://in.example/both")).status, 403);
    equal(await curl(...at, ...shown, "-u", "alice:secret", "https://in.example/both"), {
      status: 200,
      told: { "x-forwarded-user": "alice", "client-cert": `:${der}:`, authorization: null },
    });
    const strange = ["--cert", rogue.chainFile, "--key", rogue.keyFile];
    const refused = await curl(...at, ...strange, "https://in.example/").then(
      ({ status }) => status,
      () => "cut",
    );
    ok(refused === "cut" || refused === 403, String(refused));
    equal(
      (await curl("-H", "Host: in.example", "-H", "Client-Cert: :AA==:", `http://127.0.0.1:${port}/`)).status,
      403,
    );
  },
});

Deno.test({
  name: "curl logs in with a password that was hashed, and with its oauth2-bearer; the log tells who it was",
  ignore,
  async fn() {
    await using web = backend();
    await using issuer = await TestIssuer.start();
    const to = `http://127.0.0.1:${web.addr.port}`;
    const hashed = "scrypt:16384:8:1:c2FsdHNhbHRzYWx0c2FsdA:" + await scrypted("sesame");
    await using program = await Program.start(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /api, to: "${to}", auth: { jwt: { issuer: "${issuer.name}", claims: { scope: read } } } }
  - { to: "${to}", auth: { basic: { alice: "${hashed}" } } }
issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}", audiences: [app] }]
${ADMIN}`);
    const url = `http://127.0.0.1:${program.port("web")}`;
    equal((await curl(url)).status, 401);
    equal((await curl("-u", "alice:wrong", url)).status, 401);
    equal((await curl("-u", "alice:sesame", url)).told["x-forwarded-user"], "alice");
    // --anyauth asks first without, reads the challenge, and asks again.
    equal((await curl("--anyauth", "-u", "alice:sesame", url)).status, 200);
    const token = await issuer.token({ scope: "read write" });
    const bearer = await curl("--oauth2-bearer", token, `${url}/api`);
    equal([bearer.status, bearer.told["x-forwarded-user"], bearer.told.authorization], [
      200,
      "alice",
      `Bearer ${token}`,
    ]);
    equal((await curl("--oauth2-bearer", await issuer.token({ scope: "write" }), `${url}/api`)).status, 403);
    equal((await curl("-u", "alice:sesame", `${url}/api`)).status, 401);
    equal((await curl("--path-as-is", `${url}/x/../api`)).status, 400);
    const config = await (await program.admin("/config")).text();
    ok(
      !config.includes("scrypt") && config.includes('"alice": "***"') || config.includes('"alice":"***"'),
      config,
    );
    const metrics = await (await program.admin("/metrics")).text();
    ok(/ugate_auth_failures_total\{listener="web",protocol="http"\} 1\n/.test(metrics), metrics);
    ok(!program.child.stderr.includes(token) && !program.child.stderr.includes("sesame"));
  },
});

Deno.test({
  name: "a file of keys is watched: who signed with a key that is gone is believed no more",
  ignore,
  async fn() {
    await using web = backend();
    await using folder = await Folder.make();
    await using issuer = await TestIssuer.start();
    const file = await folder.write("keys.json", issuer.set);
    await using program = await Program.start(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { to: "http://127.0.0.1:${web.addr.port}", auth: { jwt: { issuer: "${issuer.name}", audiences: [app] } } }
issuers: [{ issuer: "${issuer.name}", jwks: "${file}" }]
${ADMIN}`);
    const url = `http://127.0.0.1:${program.port("web")}`, token = await issuer.token();
    equal((await curl("--oauth2-bearer", token, url)).status, 200);
    await issuer.addKey("two");
    issuer.keys.delete("one");
    await folder.write("next.json", issuer.set);
    await Deno.rename(`${folder.path}/next.json`, file);
    await program.message((message) => /issuers: .* changed/.test(message));
    equal((await curl("--oauth2-bearer", token, url)).status, 401);
    equal((await curl("--oauth2-bearer", await issuer.token({}, "two"), url)).status, 200);
    equal(issuer.asked, 0);
  },
});

async function scrypted(password: string): Promise<string> {
  const { scryptSync } = await import("node:crypto");
  return scryptSync(password, "saltsaltsaltsalt", 32, { N: 16384, r: 8, p: 1 }).toString("base64url");
}
