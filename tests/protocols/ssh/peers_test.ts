/** The programs and libraries that people have, at the other end of our transport: up to the service and its answer. */
import { createPrivateKey } from "node:crypto";
import ssh2 from "ssh2";
import { find, need } from "../../../scripts/clients.ts";
import { freePort } from "../../../scripts/free_ports.ts";
import { equal, ok } from "../../support/assert.ts";
import { Child, Folder, run, succeed } from "../../support/child.ts";
import { type MadeHostKey, makeHostKey } from "../../support/ssh_transport.ts";
import { SshThread } from "../../support/ssh_thread.ts";
import type { SshReport } from "../../support/ssh_worker.ts";

const pkcs8 = ({ pem }: MadeHostKey) =>
  new Uint8Array(createPrivateKey(pem).export({ type: "pkcs8", format: "der" }));
const KEYS = (["ecdsa-sha2-nistp256", "ssh-ed25519"] as const).map(makeHostKey);
const served = (more: { keyLifeBytes?: number } = {}) =>
  new SshThread({
    keys: KEYS.map((key) => ({ algorithm: key.algorithm, blob: key.blob, pkcs8: pkcs8(key) })),
    hybrid: true,
    ...more,
  });
const portOf = async (thread: SshThread): Promise<string> => String((await thread.next()).port);

/** What OpenSSH needs to be told for a server that nobody knows. */
const SSH = [
  "-F",
  "none",
  "-o",
  "BatchMode=yes",
  "-o",
  "StrictHostKeyChecking=no",
  "-o",
  "UserKnownHostsFile=/dev/null",
];

/** The client came to the service, and nothing of it is left. */
function came(report: SshReport, version: RegExp): void {
  ok(version.test(report.version ?? ""), JSON.stringify(report));
  equal([report.service, report.left], ["ssh-userauth", 0]);
}

Deno.test({
  name: "OpenSSH comes to the service under all that both have, GCM where it does not say otherwise",
  ignore: !need("ssh"),
  async fn() {
    await using thread = served();
    const port = await portOf(thread);
    const asked = async (...args: string[]): Promise<SshReport> => {
      const { stderr, code } = await run("ssh", ["-v", ...SSH, ...args, "-p", port, "somebody@127.0.0.1"]);
      ok(stderr.includes("SSH2_MSG_SERVICE_ACCEPT received"), stderr);
      ok(stderr.includes("Permission denied (publickey)") && code === 255, stderr);
      ok(/server-sig-algs=<.*rsa-sha2-512/.test(stderr), stderr);
      return await thread.next();
    };
    const usual = await asked();
    came(usual, /^SSH-2.0-OpenSSH_/);
    equal([usual.up, usual.down], ["aes128-gcm@openssh.com", "aes128-gcm@openssh.com"]);
    const ciphers = [
      "chacha20-poly1305@openssh.com",
      "aes256-gcm@openssh.com",
      "aes128-ctr",
      "aes192-ctr",
      "aes256-ctr",
    ];
    for (const cipher of ciphers) equal((await asked("-c", cipher)).down?.split(" ")[0], cipher);
    for (
      const mac of [
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
      ]
    ) {
      equal((await asked("-c", "aes128-ctr", "-m", mac)).up, `aes128-ctr ${mac}`);
    }
    for (const kex of ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"]) {
      equal((await asked("-o", `KexAlgorithms=${kex}`)).exchange, kex);
    }
    for (const { algorithm } of KEYS) {
      equal((await asked("-o", `HostKeyAlgorithms=${algorithm}`)).hostKey, algorithm);
    }
  },
});

Deno.test({
  name: "ssh-keyscan reads both host keys",
  ignore: !need("ssh-keyscan"),
  async fn() {
    await using thread = served();
    const port = await portOf(thread);
    const { stdout } = await succeed("ssh-keyscan", ["-t", "ecdsa,ed25519", "-p", port, "127.0.0.1"]);
    for (const { algorithm, blob } of KEYS) ok(stdout.includes(`${algorithm} ${blob.toBase64()}`), stdout);
  },
});

Deno.test({
  name: "dropbear's client, which guesses, comes to the service",
  ignore: !need("dbclient"),
  async fn() {
    await using thread = served();
    const port = await portOf(thread);
    const { stderr } = await run("dbclient", ["-y", "-y", "-p", port, "somebody@127.0.0.1"], {
      env: { HOME: "/nonexistent" },
    });
    ok(stderr.includes("No auth methods could be used"), stderr);
    const report = await thread.next();
    came(report, /^SSH-2.0-dropbear/);
    equal(report.up, "chacha20-poly1305@openssh.com");
  },
});

Deno.test({
  name: "plink comes to the service, the host key pinned by its fingerprint",
  ignore: !need("plink", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const [, key] = KEYS, file = await folder.write("key.pub", `${key.algorithm} ${key.blob.toBase64()}\n`);
    const [, fingerprint] = (await succeed("ssh-keygen", ["-lf", file])).stdout.split(" ");
    await using thread = served();
    const port = await portOf(thread);
    const { stderr } = await run("plink", [
      "-ssh",
      "-batch",
      "-v",
      "-hostkey",
      fingerprint,
      "-P",
      port,
      "x@127.0.0.1",
    ], {
      env: { HOME: folder.path },
    });
    ok(stderr.includes("No supported authentication methods available (server sent: publickey)"), stderr);
    came(await thread.next(), /^SSH-2.0-PuTTY/);
  },
});

const ASYNCSSH = "/usr/lib/python3/dist-packages/asyncssh/__init__.py";
Deno.test({
  name: "asyncssh comes to the service",
  ignore: !need(ASYNCSSH, "python3"),
  async fn() {
    await using thread = served();
    const port = await portOf(thread);
    const code = `import asyncio, sys; sys.path.insert(0, "/usr/lib/python3/dist-packages"); import asyncssh
async def main():
    try:
        await asyncssh.connect("127.0.0.1", ${port}, username="x", password="y", known_hosts=None, client_keys=None, config=None)
    except asyncssh.PermissionDenied:
        print("denied")
asyncio.run(main())`;
    const { stdout, stderr } = await run("/usr/bin/python3", ["-W", "ignore", "-c", code]);
    equal(stdout, "denied\n", stderr);
    came(await thread.next(), /^SSH-2.0-AsyncSSH/);
  },
});

Deno.test("ssh2 comes to the service", async () => {
  await using thread = served();
  const port = Number(await portOf(thread)), client = new ssh2.Client();
  const closed = Promise.withResolvers<void>(), failures: string[] = [];
  client.on("error", ({ message }: Error) => failures.push(message)).on("close", () => closed.resolve());
  client.connect({
    host: "127.0.0.1",
    port,
    username: "x",
    password: "y",
    algorithms: { compress: ["none"] },
  });
  await closed.promise;
  equal(failures, ["All configured authentication methods failed"]);
  came(await thread.next(), /^SSH-2.0-ssh2js/);
});

/** Our client up to the first answer above the transport. */
async function asked(port: number, algorithm: string): Promise<SshReport> {
  await using thread = new SshThread({ port, algorithms: [algorithm], hybrid: true });
  const report = await thread.next();
  equal([report.service, report.answer, report.hostKey, report.left], ["ssh-userauth", 51, algorithm, 0]);
  return report;
}

Deno.test({
  name: "our client comes to the service of OpenSSH's sshd, by each of its host keys",
  ignore: !need("sshd", "ssh-keygen"),
  async fn() {
    await using folder = await Folder.make();
    const types = {
      "ssh-ed25519": ["ed25519", "256"],
      "ecdsa-sha2-nistp256": ["ecdsa", "256"],
      "rsa-sha2-512": ["rsa", "3072"],
    };
    const port = freePort(),
      args = ["-D", "-e", "-f", "none", "-p", String(port), "-o", "ListenAddress=127.0.0.1"];
    for (const [type, bits] of Object.values(types)) {
      await succeed("ssh-keygen", ["-q", "-t", type, "-b", bits, "-N", "", "-f", `${folder.path}/${type}`]);
      args.push("-h", `${folder.path}/${type}`);
    }
    await using sshd = new Child(find("sshd")!, [...args, "-o", "PidFile=none", "-o", "UsePAM=no"]);
    await sshd.line(/Server listening on 127.0.0.1/);
    for (const [algorithm, [type]] of Object.entries(types)) {
      const { version, blob, extensions, up } = await asked(port, algorithm);
      ok(version?.startsWith("SSH-2.0-OpenSSH_"));
      const [, base64] = (await Deno.readTextFile(`${folder.path}/${type}.pub`)).split(" ");
      equal(blob?.toBase64(), base64);
      ok(extensions?.get("server-sig-algs")?.includes("rsa-sha2-256"));
      equal(up, "aes128-gcm@openssh.com");
    }
    await sshd.line(/Received disconnect from 127.0.0.1 port \d+:14: the test is over/);
  },
});

Deno.test({
  name: "our client comes to the service of dropbear",
  ignore: !need("dropbear", "dropbearkey"),
  async fn() {
    await using folder = await Folder.make();
    const key = `${folder.path}/key`, port = freePort();
    await succeed("dropbearkey", ["-t", "ed25519", "-f", key]);
    await using server = new Child(find("dropbear")!, [
      "-F",
      "-E",
      "-p",
      `127.0.0.1:${port}`,
      "-r",
      key,
      "-P",
      `${folder.path}/pid`,
    ]);
    await server.line(/Not backgrounding/);
    const report = await asked(port, "ssh-ed25519");
    ok(report.version?.startsWith("SSH-2.0-dropbear"));
    await server.line(/Disconnect received/);
  },
});

Deno.test("our client comes to the service of ssh2", async () => {
  const pem = createPrivateKey(KEYS[0].pem).export({ type: "sec1", format: "pem" }); // it reads no PKCS #8
  const ended = Promise.withResolvers<void>(), methods: string[] = [];
  const server = new ssh2.Server(
    { hostKeys: [pem], algorithms: { compress: ["none"] } },
    (client: ssh2.Connection) => {
      client.on("authentication", (context: ssh2.AuthContext) => {
        methods.push(context.method);
        context.reject();
      });
      client.on("error", () => {});
      client.on("close", () => ended.resolve());
    },
  );
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    const report = await asked(server.address().port, "ecdsa-sha2-nistp256");
    ok(report.version?.startsWith("SSH-2.0-ssh2js"));
    equal(methods, ["none"]);
    await ended.promise;
  } finally {
    server.close();
  }
});
