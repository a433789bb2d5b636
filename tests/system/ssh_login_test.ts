/** People log in to the gate by SSH with the clients that they have, and lose what is taken away from them. */
import ssh2 from "ssh2";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { type Folder, run, succeed } from "../support/child.ts";
import { TestIssuer } from "../support/issuer.ts";
import { LoginWorld } from "../support/ssh_login.ts";
import { Keygen, type MadeKey } from "../support/ssh_keygen.ts";

const ready = need("ssh", "ssh-keygen");
const keygen = ready ? await Keygen.make() : undefined!;
const types = ["ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 3072"];

/** As OpenSSH prints it. */
const print = async ({ file }: MadeKey): Promise<string> => (await keygen.said("-lf", file)).split(" ")[1];

/** `key:ID` that the journal told of last. */
const identityOf = (world: LoginWorld): string | undefined =>
  (world.gate.records.at(-1) as { identity?: string } | undefined)?.identity;

Deno.test({
  name:
    "OpenSSH logs in with a key of every type that stands in authorized_keys, and the line says whose it is",
  ignore: !ready,
  async fn() {
    const keys = await Promise.all(types.map((type) => keygen.key(`-t ${type}`)));
    await using world = await LoginWorld.start({ keys: keys.map(({ line }) => line) }, keygen);
    for (const key of keys) {
      ok(await world.logsIn(key));
      const { outcome, user, protocol } = await world.gate.record();
      equal([outcome, user, protocol], ["ok", "pi", "ssh"]);
      ok(/^key:[A-Z2-7]{52}$/.test(identityOf(world) ?? ""));
    }
  },
});

Deno.test({
  name: "who stands in no file is refused without a word why; the log knows",
  ignore: !ready,
  async fn() {
    await using world = await LoginWorld.start({}, keygen);
    const stranger = await keygen.key("-t ed25519");
    const { stderr } = await world.ssh(["-o", "BatchMode=yes", "-i", stranger.file]);
    ok(stderr.includes("Permission denied (publickey)"), stderr);
    const { outcome, side, cause = "" } = await world.gate.record();
    equal([outcome, side], ["unauthenticated", "client"]);
    ok(/Cannot log in as "pi": nobody believes the key SHA256:/.test(cause), cause);
    equal(stderr.includes("believes"), false);
  },
});

Deno.test({
  name: "a banner is shown, in lines as terminals want them",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using world = await LoginWorld.start({ keys: [key.line], ssh: 'banner: "one\\ntwo"' }, keygen);
    const { stderr } = await world.ssh(["-i", key.file]);
    ok(stderr.includes("one\r\ntwo\r\n"), stderr);
  },
});

Deno.test({
  name: "options of a line hold: an address that is not his, a time that is over",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using world = await LoginWorld.start({ keys: [`from="192.0.2.0/24" ${key.line}`] }, keygen);
    equal(await world.logsIn(key), false);
    await world.authorize(`from="127.0.0.0/8" ${key.line}`);
    equal(await world.logsIn(key), true);
    await world.authorize(`expiry-time="20200101" ${key.line}`);
    equal(await world.logsIn(key), false);
  },
});

Deno.test({
  name:
    "certificates: of an authority in a file or on a line, for a principal, within their time, and not revoked",
  ignore: !ready,
  async fn() {
    const [authority, other, key] = await Promise.all([1, 2, 3].map(() => keygen.key("-t ecdsa -b 256")));
    const [rsa] = [await keygen.key("-t rsa -b 3072")];
    await using world = await LoginWorld.start({}, keygen);
    const file = await world.folder.write("authorities", `${authority.line}\n${rsa.line}\n`);
    const logsIn = async (by: MadeKey, asked: Parameters<Keygen["certificateFile"]>[2]): Promise<boolean> => {
      const certificate = await keygen.certificateFile(by, key, asked);
      return await world.logsIn(key, "-o", `CertificateFile=${certificate}`);
    };
    equal(await logsIn(authority, {}), false); // nobody believes it yet
    await world.configure({ ssh: `userAuthorities: ["${file}"]` });
    equal(await logsIn(authority, {}), true);
    await world.gate.record(() => identityOf(world)?.startsWith("principal:pi@SHA256:") ?? false);
    equal(await logsIn(rsa, {}), true);
    equal(await logsIn(other, {}), false);
    equal(await logsIn(authority, { principals: "root,alice" }), false);
    equal(await logsIn(authority, { validity: "20200101:20210101" }), false);
    equal(await logsIn(authority, { host: true }), false);
    equal(await logsIn(authority, { options: ["source-address=192.0.2.0/24"] }), false);
    equal(await logsIn(authority, { options: ["source-address=127.0.0.1/32"] }), true);
    await world.authorize(`cert-authority,principals="pi" ${other.line}`);
    equal(await logsIn(other, {}), true);
    const krl = `${world.folder.path}/krl`;
    const revoked = await keygen.certificateFile(authority, key, { serial: 9 });
    await succeed("ssh-keygen", ["-q", "-k", "-f", krl, revoked]);
    await world.configure({ ssh: `userAuthorities: ["${file}"], revokedKeys: ["${krl}"]` });
    equal(await logsIn(authority, { serial: 9 }), false);
    equal(await logsIn(authority, { serial: 10 }), true);
  },
});

Deno.test({
  name: "a key in no file logs in where an allow rule names it, and a deny of an identity keeps it out",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
    equal(await world.logsIn(key), true);
    await world.gate.record();
    const id = identityOf(world)!;
    const allow = (more = "") => `policy: [{ allow: { identity: "${id}"${more}, ports: 22 } }]`;
    await world.authorize();
    equal(await world.logsIn(key), false);
    await world.configure({ more: allow() });
    equal(await world.logsIn(key), true);
    await world.configure({ more: allow(", sources: 192.0.2.0/24") });
    equal(await world.logsIn(key), false);
    await world.configure({ more: allow(", listener: edge") });
    equal(await world.logsIn(key), true);
    await world.configure({ more: `policy: [{ deny: { identity: "${id}" } }]` });
    await world.authorize(key.line);
    equal(await world.logsIn(key), false);
    const { cause = "" } = await world.gate.record(({ cause }) => cause?.includes("policy") ?? false);
    ok(/policy refuses key:/.test(cause), cause);
  },
});

/** What takes a live connection's right away, by the words that the journal has for it. */
const LOSSES: readonly [
  name: string,
  cut: (world: LoginWorld, key: MadeKey, folder: Folder) => Promise<void>,
  cause: RegExp,
][] = [
  ["the line is taken away", (world) => world.authorize(), /nobody believes the key SHA256:/],
  [
    "the key is revoked",
    async (world, key, folder) => {
      const file = await folder.write("revoked", `${key.line}\n`);
      await world.configure({ ssh: `revokedKeys: ["${file}"]` });
    },
    /the key SHA256:.* is revoked in .*revoked/,
  ],
  [
    "the line is for other addresses now",
    (world, key) => world.authorize(`from="192.0.2.1" ${key.line}`),
    /it is not for a client from 127\.0\.0\.1/,
  ],
  [
    "it may forward nothing now",
    (world, key) => world.authorize(`restrict ${key.line}`),
    /lets it do less now/,
  ],
  [
    "policy refuses who it is",
    (world) => world.configure({ more: `policy: [{ deny: { identity: any } }]` }),
    /policy refuses key:.* by test.yaml/,
  ],
];

for (const [name, cut, cause] of LOSSES) {
  Deno.test({
    name: `a live connection is cut where ${name}, and the journal says so`,
    ignore: !ready,
    async fn() {
      const key = await keygen.key("-t ed25519");
      await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
      await using child = await world.stays(key);
      await cut(world, key, world.folder);
      const record = await world.gate.record(({ outcome }) => outcome === "denied");
      ok(cause.test(record.cause ?? ""), record.cause);
      equal(await child.exit(), 255);
    },
  });
}

Deno.test({
  name: "a live connection stays where the file says the same in another way, and where more is allowed",
  ignore: !ready,
  async fn() {
    const [key, other] = await Promise.all([1, 2].map(() => keygen.key("-t ed25519")));
    await using world = await LoginWorld.start({ keys: [`no-pty ${key.line}`] }, keygen);
    await using child = await world.stays(key);
    await world.authorize("# a comment", other.line, key.line);
    equal(await world.logsIn(other), true);
    await world.gate.record();
    equal([world.gate.records.length, child.ended], [1, false]);
  },
});

Deno.test({
  name: "what ends in time ends its connection in time: a line and a certificate",
  ignore: !ready,
  async fn() {
    const [key, authority] = await Promise.all([1, 2].map(() => keygen.key("-t ed25519")));
    await using world = await LoginWorld.start({}, keygen);
    const inSeconds = (seconds: number) =>
      new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]|\..*/g, "");
    await world.authorize(`expiry-time="${inSeconds(4)}Z" ${key.line}`);
    await using child = await world.stays(key);
    const { cause = "" } = await world.gate.record();
    ok(/the validity of .*keys:1 has ended/.test(cause), cause);
    equal(await child.exit(), 255);
    await world.authorize(`cert-authority ${authority.line}`);
    const local = (seconds: number) => {
      const at = new Date(Date.now() + seconds * 1000), two = (part: number) => String(part).padStart(2, "0");
      return [
        at.getFullYear(),
        ...[at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()].map(two),
      ].join("");
    };
    const validity = `always:${local(4)}`;
    const certificate = await keygen.certificateFile(authority, key, { validity });
    await using certified = await world.stays(key, "-o", `CertificateFile=${certificate}`);
    const record = await world.gate.record();
    ok(/the validity of .*"an id" \(serial 7\).* has ended/.test(record.cause ?? ""), record.cause);
    equal(await certified.exit(), 255);
  },
});

Deno.test({
  name: "a token of an issuer logs in as a password, for this gate alone, and the connection ends with it",
  ignore: !ready,
  async fn() {
    await using issuer = await TestIssuer.start();
    const more = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`;
    await using world = await LoginWorld.start({ more }, keygen);
    const aud = "ssh://gate.example.test";
    const given = async (token: string): Promise<string> => {
      const askpass = await world.folder.write("askpass", `#!/bin/sh\nprintf %s '${token}'\n`, 0o700);
      const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" };
      const { stderr } = await world.ssh(["-o", "PreferredAuthentications=password"], { env });
      return stderr;
    };
    const right = await given(await issuer.token({ aud }));
    ok(right.includes("Authenticated to 127.0.0.1 ([127.0.0.1]:" + world.port + ') using "password"'), right);
    await world.gate.record();
    equal(identityOf(world), `jwt:${issuer.name}#alice`);
    const wrong = [
      ["not a token", /the password is no token/],
      [await issuer.token(), /its token is worth nothing: /],
      [await issuer.token({ aud, exp: 1 }), /its token is worth nothing: /],
      [await issuer.token({ aud, iss: "https://other.example" }), /nobody believes the issuer/],
      [(await issuer.token({ aud })).replace(/\.[^.]*$/, ".AAAA"), /its token is worth nothing: /],
    ] as const;
    for (const [token, cause] of wrong) {
      ok((await given(token)).includes("Permission denied"));
      const record = await world.gate.record();
      equal(record.outcome, "unauthenticated");
      ok(cause.test(record.cause ?? ""), record.cause);
    }
  },
});

Deno.test({
  name: "tokens are not asked for where no issuer is believed, and passwords prove nothing",
  ignore: !ready,
  async fn() {
    await using world = await LoginWorld.start({}, keygen);
    const { stderr } = await world.ssh(["-o", "PreferredAuthentications=password,keyboard-interactive"]);
    ok(stderr.includes("Permission denied (publickey)"), stderr);
  },
});

Deno.test({
  name: "dropbear's client logs in with its key",
  ignore: !ready || !need("dbclient", "dropbearkey"),
  async fn() {
    await using world = await LoginWorld.start({}, keygen);
    const file = `${world.folder.path}/dropbear`;
    const { stdout } = await succeed("dropbearkey", ["-t", "ecdsa", "-f", file]);
    await world.authorize(/^ecdsa-sha2-.*$/m.exec(stdout)![0]);
    const args = ["-y", "-y", "-i", file, "-p", world.port, "pi@127.0.0.1", "true"];
    await run("dbclient", args, { env: { HOME: "/nonexistent" }, most: 20_000 });
    const { user, protocol } = await world.gate.record();
    equal([user, protocol, identityOf(world)?.slice(0, 4)], ["pi", "ssh", "key:"]);
  },
});

Deno.test({
  name: "plink logs in with its key, and with a token as long as one likes",
  ignore: !ready || !need("plink", "puttygen"),
  async fn() {
    await using issuer = await TestIssuer.start();
    const more = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`;
    const key = await keygen.key("-t rsa -b 3072");
    await using world = await LoginWorld.start({ keys: [key.line], more }, keygen);
    const ppk = `${world.folder.path}/key.ppk`, env = { HOME: world.folder.path };
    await succeed("puttygen", [key.file, "-o", ppk]);
    const scanned = await succeed("ssh-keyscan", ["-p", world.port, "127.0.0.1"]);
    const file = await world.folder.write("host.pub", scanned.stdout.replace(/^\S+ /, ""));
    const [, print] = (await succeed("ssh-keygen", ["-lf", file])).stdout.split(" ");
    const plink = (...args: string[]) =>
      run("plink", ["-ssh", "-batch", "-hostkey", print, ...args, "-P", world.port, "pi@127.0.0.1", "true"], {
        env,
        most: 20_000,
      });
    await plink("-i", ppk);
    await world.gate.record(() => identityOf(world)?.startsWith("key:") ?? false);
    const token = await issuer.token({ aud: "ssh://gate.example.test", filler: "x".repeat(3000) });
    await plink("-pw", token);
    await world.gate.record(() => identityOf(world)?.startsWith("jwt:") ?? false);
  },
});

const ASYNCSSH = "/usr/lib/python3/dist-packages/asyncssh/__init__.py";
Deno.test({
  name: "asyncssh logs in with a key and with a certificate",
  ignore: !ready || !need(ASYNCSSH, "python3"),
  async fn() {
    const [key, authority] = await Promise.all([1, 2].map(() => keygen.key("-t ed25519")));
    const keys = [key.line, `cert-authority ${authority.line}`];
    await using world = await LoginWorld.start({ keys }, keygen);
    const certificate = await keygen.certificateFile(authority, key, {});
    const code = (keys: string) =>
      `import asyncio, sys; sys.path.insert(0, "/usr/lib/python3/dist-packages"); import asyncssh
async def main():
    async with asyncssh.connect("127.0.0.1", ${world.port}, username="pi", known_hosts=None, client_keys=[${keys}], config=None):
        print("in")
asyncio.run(main())`;
    for (const shown of [`"${key.file}"`, `("${key.file}", "${certificate}")`]) {
      const { stdout, stderr } = await run("/usr/bin/python3", ["-W", "ignore", "-c", code(shown)]);
      equal(stdout, "in\n", stderr);
    }
    await world.gate.record(() => identityOf(world)?.startsWith("principal:pi@") ?? false);
  },
});

Deno.test({
  name: "ssh2 logs in with a key",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
    const client = new ssh2.Client(), { promise, resolve, reject } = Promise.withResolvers<void>();
    client.on("ready", resolve).on("error", reject);
    const closed = new Promise((resolve) => client.on("close", resolve));
    client.connect({
      host: "127.0.0.1",
      port: Number(world.port),
      username: "pi",
      privateKey: await Deno.readTextFile(key.file),
      algorithms: { compress: ["none"] },
    });
    await promise;
    client.end();
    await closed;
    equal((await world.gate.record()).user, "pi");
  },
});

Deno.test({
  name: "another host key is shown where one is given, and RSA is refused as one",
  ignore: !ready || !need("ssh-keyscan"),
  async fn() {
    const [key, rsa] = [await keygen.key("-t ed25519"), await keygen.key("-t rsa -b 3072")];
    await using world = await LoginWorld.start({ ssh: `hostKey: "${key.file}"` }, keygen);
    const { stdout } = await succeed("ssh-keyscan", ["-p", world.port, "127.0.0.1"]);
    ok(stdout.includes(key.line.split(" ").slice(0, 2).join(" ")), stdout);
    const { problems } = await world.gate.reload(
      LoginWorld.text(world.folder, { ssh: `hostKey: "${rsa.file}"` }),
    );
    ok(/ssh\.hostKey: expected a key of Ed25519 or ECDSA/.test(problems.join("\n")), problems.join("\n"));
  },
});

Deno.test({
  name: "a listener with a route for ssh passes it on",
  ignore: !ready,
  async fn() {
    const host = await keygen.key("-t ed25519");
    await using behind = await LoginWorld.start({ ssh: `hostKey: "${host.file}"` }, keygen);
    const more = `routes: [{ protocol: ssh, to: "127.0.0.1:${behind.port}" }]`;
    await using world = await LoginWorld.start({ more }, keygen);
    const { stderr } = await world.ssh(["-o", "BatchMode=yes"]);
    ok(stderr.includes(`Server host key: ssh-ed25519 ${await print(host)}`), stderr);
    ok((await behind.gate.record()).outcome !== "denied");
    ok(/routes\[0\]/.test((await world.gate.record() as { route?: string }).route ?? ""));
  },
});

Deno.test({
  name:
    "a reload in which only lines of keys changed says which file, and that who is there was judged again",
  ignore: !ready,
  async fn() {
    const [key, other] = [await keygen.key("-t ed25519"), await keygen.key("-t ed25519")];
    await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
    await world.folder.write("keys", `${other.line}\n`);
    const { result, changes } = await world.gate.service.reload();
    equal([result, changes], ["applied", [
      `ssh.authorizedKeys: ${world.folder.path}/keys changed: who is connected was judged again`,
    ]]);
    equal((await world.gate.service.reload()).result, "unchanged");
  },
});
