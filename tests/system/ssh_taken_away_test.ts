/** Certificates and tokens: which are refused, and what ends the connections that were made with them. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, succeed } from "../support/child.ts";
import { part, TestIssuer } from "../support/issuer.ts";
import { LoginWorld, SSH } from "../support/ssh_login.ts";
import { Keygen, type MadeKey } from "../support/ssh_keygen.ts";

const ready = need("ssh", "ssh-keygen");
const keygen = ready ? await Keygen.make() : undefined!;
const AUDIENCE = "ssh://gate.example.test";

/** Of who came by a certificate, whose authority stands in the file `authorities`. */
const LOSSES: readonly [
  name: string,
  take: (world: LoginWorld, made: { authority: MadeKey; key: MadeKey; other: MadeKey }) => Promise<void>,
  cause: RegExp,
][] = [
  [
    "its serial number is revoked",
    (world, { authority }) => revoke(world, authority, "serial: 7"),
    /is revoked in/,
  ],
  ["its key ID is revoked", (world, { authority }) => revoke(world, authority, "id: an id"), /is revoked in/],
  [
    "its key is revoked",
    (world, { authority, key }) => revoke(world, authority, `key: ${key.line}`),
    /is revoked in/,
  ],
  [
    "its authority is revoked",
    (world, { authority }) => revoke(world, authority, `key: ${authority.line}`),
    /is revoked in/,
  ],
  [
    "its authority is believed no more",
    async (world, { other }) => {
      await world.folder.write("authorities", `${other.line}\n`);
      await world.gate.service.reload();
    },
    /nobody believes the authority of/,
  ],
];

/** A list that says this of the certificates of one authority. */
async function revoke(world: LoginWorld, authority: MadeKey, what: string): Promise<void> {
  const said = await world.folder.write("said", `${what}\n`), krl = `${world.folder.path}/krl`;
  await succeed("ssh-keygen", ["-q", "-k", "-f", krl, "-s", `${authority.file}.pub`, said]);
  await world.configure({ ssh: `${authorities(world)}, revokedKeys: ["${krl}"]` });
}

const authorities = ({ folder: { path } }: LoginWorld): string => `userAuthorities: ["${path}/authorities"]`;

for (const [name, take, cause] of LOSSES) {
  Deno.test({
    name: `who came by a certificate is cut where ${name}, and nobody else is`,
    ignore: !ready,
    async fn() {
      const [authority, key, other] = await Promise.all([1, 2, 3].map(() => keygen.key("-t ed25519")));
      const certificate = await keygen.certificateFile(authority, key, {});
      await using world = await LoginWorld.start({ keys: [other.line] }, keygen);
      await world.folder.write("authorities", `${authority.line}\n`);
      await world.configure({ ssh: authorities(world) });
      await using bystander = await world.stays(other);
      await using child = await world.stays(key, "-o", `CertificateFile=${certificate}`);
      await take(world, { authority, key, other });
      const record = await world.gate.record();
      equal([record.outcome, cause.test(record.cause ?? "")], ["denied", true], record.cause);
      equal(await child.exit(), 255);
      equal(await world.logsIn(key, "-o", `CertificateFile=${certificate}`), false);
      equal(bystander.ended, false);
    },
  });
}

Deno.test({
  name: "a certificate with a critical option that nobody knows lets nobody in; what it forces is run",
  ignore: !ready,
  async fn() {
    const [authority, key] = await Promise.all([1, 2].map(() => keygen.key("-t ecdsa -b 384")));
    const line = `cert-authority,environment="UGATE_ROLE=admin" ${authority.line}`;
    await using world = await LoginWorld.start({ keys: [line] }, keygen);
    const by = async (option: string): Promise<string[]> => [
      ...["-i", key.file, "-o", "BatchMode=yes", "-o"],
      `CertificateFile=${await keygen.certificateFile(authority, key, { options: [option] })}`,
    ];
    ok((await world.ssh(await by("critical:new@example.com=1"))).stderr.includes("Permission denied"));
    const { cause = "" } = await world.gate.record();
    ok(/it has the critical option "new@example\.com"/.test(cause), cause);
    const { stdout } = await world.ssh(await by("force-command=version")); // it asks for `true`
    ok(/^ugate \S+/.test(stdout), stdout);
  },
});

Deno.test({
  name: "the end of a line's validity holds for who is there, though it is written later",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
    await using child = await world.stays(key);
    const soon = new Date(Date.now() + 3000).toISOString().replace(/[-:T]|\..*/g, "");
    await world.authorize(`expiry-time="${soon}Z" ${key.line}`);
    const { cause = "" } = await world.gate.record();
    ok(/the validity of .*keys:1 has ended/.test(cause), cause);
    equal(await child.exit(), 255);
  },
});

/** A gate that believes an issuer by a file of its keys, and clients that log in with its tokens. */
class TokenWorld implements AsyncDisposable {
  private constructor(readonly world: LoginWorld, readonly issuer: TestIssuer) {}

  static async start(): Promise<TokenWorld> {
    const issuer = await TestIssuer.start(), world = await LoginWorld.start({}, keygen);
    const tokens = new TokenWorld(world, issuer);
    await tokens.believe();
    return tokens;
  }

  /** The issuer's keys of now. */
  async believe(): Promise<void> {
    const file = await this.world.folder.write("jwks.json", this.issuer.set);
    await this.world.configure({ more: `issuers: [{ issuer: "${this.issuer.name}", jwks: "${file}" }]` });
  }

  async stays(token: string): Promise<Child> {
    const child = new Child("ssh", [...SSH, "-N", "-p", this.world.port, "pi@127.0.0.1"], {
      env: await this.#typing(token),
    });
    await child.line(/Entering interactive session|Permission denied/);
    return child;
  }

  async logsIn(token: string): Promise<boolean> {
    const { stderr } = await this.world.ssh([], { env: await this.#typing(token) });
    return stderr.includes("Authenticated to 127.0.0.1");
  }

  async #typing(token: string) {
    const askpass = await this.world.folder.write("askpass", `#!/bin/sh\nprintf %s '${token}'\n`, 0o700);
    return { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.issuer[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "who came by a token is cut when it expires, when its key is taken away, and with its issuer",
  ignore: !ready,
  async fn() {
    await using tokens = await TokenWorld.start();
    const { world: { gate }, issuer } = tokens, now = () => Math.floor(Date.now() / 1000);
    await using short = await tokens.stays(await issuer.token({ aud: AUDIENCE, exp: now() - 25 })); // 30 s of leeway
    ok(/the validity of its token of .* has ended/.test((await gate.record(undefined, 10_000)).cause ?? ""));
    equal(await short.exit(), 255);

    await issuer.addKey("two");
    await tokens.believe();
    await using one = await tokens.stays(await issuer.token({ aud: AUDIENCE }));
    await using two = await tokens.stays(await issuer.token({ aud: AUDIENCE }, "two"));
    issuer.keys.delete("one");
    await tokens.believe();
    const { outcome, cause = "" } = await gate.record();
    equal(outcome, "denied");
    ok(/^Cannot go on: its token is worth nothing: its key is not known$/.test(cause), cause);
    equal([await one.exit(), two.ended], [255, false]);

    await tokens.world.configure({});
    ok(/nobody believes tokens of .* any more/.test((await gate.record()).cause ?? ""));
    equal(await two.exit(), 255);
  },
});

Deno.test({
  name: "a token that is not for us, not of now, or not signed by its issuer's key lets nobody in",
  ignore: !ready,
  async fn() {
    await using tokens = await TokenWorld.start();
    const { world: { gate }, issuer } = tokens, now = Math.floor(Date.now() / 1000);
    const right = await issuer.token({ aud: AUDIENCE }), [, payload, signature] = right.split(".");
    const unsigned = (alg: string) => [part({ alg, typ: "JWT" }), payload, ""].join(".");
    const wrong: Record<string, string> = {
      "another audience": await issuer.token({ aud: "ssh://other.example.test" }),
      "a name that begins like ours": await issuer.token({ aud: `${AUDIENCE}.example.com` }),
      "no audience": await issuer.token({ aud: undefined }),
      "not valid yet": await issuer.token({ aud: AUDIENCE, nbf: now + 120 }),
      "no end": await issuer.token({ aud: AUDIENCE, exp: undefined }),
      "no signature": unsigned("none"),
      "none, spelled otherwise": unsigned("nOnE"),
      "a secret that is shared": [part({ alg: "HS256" }), payload, signature].join("."),
      "nobody": await issuer.token({ aud: AUDIENCE, sub: undefined }),
      "an empty name": await issuer.token({ aud: AUDIENCE, sub: "" }),
    };
    for (const [name, token] of Object.entries(wrong)) {
      equal(await tokens.logsIn(token), false, name);
      const { outcome, cause = "" } = await gate.record();
      equal(outcome, "unauthenticated", name);
      ok(/its token (is worth nothing: |names nobody)/.test(cause), `${name}: ${cause}`);
    }
    equal(await tokens.logsIn(right), true);
  },
});
