/** `layers: [ssh]` through gates of every kind: other servers, certificates, an agent, TLS around it, and restarts. */
import ssh2 from "ssh2";
import { createPrivateKey } from "node:crypto";
import { connect } from "node:net";
import { find, need } from "../../scripts/clients.ts";
import { freePort } from "../../scripts/free_ports.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run, succeed } from "../support/child.ts";
import { Program, type ProgramOptions } from "../support/program.ts";
import { certificate } from "../support/servers.ts";
import { makeHostKey } from "../support/ssh_transport.ts";

const curl = async (port: number, url: string) =>
  (await succeed("curl", ["-sS", "--max-time", "20", "-x", `socks5h://127.0.0.1:${port}`, url])).stdout;

const serveHello = () =>
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hello"));

/** A key of its own; the line of its public part. */
async function keyIn(
  folder: Folder,
  name: string,
  type = "ed25519",
): Promise<{ file: string; line: string }> {
  const file = `${folder.path}/${name}`;
  await succeed("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", name, "-f", file]);
  return { file, line: (await Deno.readTextFile(`${file}.pub`)).trim() };
}

const fingerprintOf = async (file: string): Promise<string> =>
  (await succeed("ssh-keygen", ["-lf", `${file}.pub`])).stdout.split(" ")[1];

/** A gate whose clients go through `host`. */
const near = (host: string, ssh: string, options?: ProgramOptions): Promise<Program> =>
  Program.start(
    `
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks] }
hosts:
  "*": { ${host} }
ssh: { ${ssh} }
admin: { address: "off" }
`,
    options,
  );

async function sshd(
  host: string,
  more: readonly string[],
  port = freePort(),
): Promise<Child> {
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const options = [
    ...[`ListenAddress=127.0.0.1:${port}`, `HostKey=${host}`, "PidFile=none", "StrictModes=no", "UsePAM=no"],
    ...["PasswordAuthentication=no", "PermitRootLogin=prohibit-password", "MaxStartups=100", ...more],
  ];
  const child = new Child(find("sshd")!, [
    ...["-D", "-e", "-f", "/dev/null"],
    ...options.flatMap((option) => ["-o", option]),
  ]);
  await child.line(/Server listening/);
  return child;
}

Deno.test({
  name: "certificates of users and hosts that ssh-keygen signed are enough for both sides",
  ignore: !need("curl", "sshd", "ssh-keygen"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const [users, hosts] = [await keyIn(folder, "users"), await keyIn(folder, "hosts", "ecdsa")];
    const [user, host] = [await keyIn(folder, "user", "ecdsa"), await keyIn(folder, "host")];
    await succeed("ssh-keygen", [
      "-q",
      "-s",
      users.file,
      "-I",
      "id",
      "-n",
      "somebody,root",
      `${user.file}.pub`,
    ]);
    await succeed("ssh-keygen", [
      "-q",
      "-s",
      hosts.file,
      "-I",
      "id",
      "-h",
      "-n",
      "127.0.0.1",
      `${host.file}.pub`,
    ]);
    const port = freePort(), login = Deno.env.get("LOGNAME") ?? "root";
    const principals = await folder.write("principals", "somebody\n");
    await using server = await sshd(host.file, [
      `HostCertificate=${host.file}-cert.pub`,
      `TrustedUserCAKeys=${users.file}.pub`,
      "AuthorizedKeysFile=none",
      `AuthorizedPrincipalsFile=${principals}`,
    ], port);
    const known = await folder.write("known", `@cert-authority 127.0.0.1 ${hosts.line}\n`);
    const via = `via: "127.0.0.1:${port}", layers: [ssh], user: ${login}`;
    await using program = await near(via, `identities: ["${user.file}"], knownHosts: ["${known}"]`);
    equal(await curl(program.port("local"), `http://localhost:${web.addr.port}/`), "hello");
    await server.line(/Accepted publickey for \S+ from 127.0.0.1 port \d+ ssh2: ECDSA-CERT/);
    equal(await program.stop(), 0);
  },
});

Deno.test({
  name: "the keys of an agent log in, also RSA's, which sshd takes by SHA-2 alone",
  ignore: !need("curl", "sshd", "ssh-keygen", "ssh-agent", "ssh-add"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const [user, host] = [await keyIn(folder, "user", "rsa"), await keyIn(folder, "host")];
    const path = `${folder.path}/agent`, port = freePort();
    await using agent = new Child("ssh-agent", ["-D", "-a", path]);
    await agent.line(/SSH_AUTH_SOCK/);
    await succeed("ssh-add", ["-q", user.file], { env: { SSH_AUTH_SOCK: path } });
    await using server = await sshd(host.file, [`AuthorizedKeysFile=${user.file}.pub`], port);
    const identity = `ssh:${await fingerprintOf(host.file)}`;
    const via = `via: "127.0.0.1:${port}", layers: [ssh], identity: "${identity}"`;
    await using program = await near(via, "identities: [agent]", { env: { SSH_AUTH_SOCK: path } });
    equal(await curl(program.port("local"), `http://localhost:${web.addr.port}/`), "hello");
    await server.line(/Accepted publickey for \S+ from 127.0.0.1 port \d+ ssh2: RSA/);
    equal(await program.stop(), 0);
  },
});

Deno.test({
  name: "dropbear is a gate",
  ignore: Deno.uid() !== 0 || !need("curl", "dropbear", "dropbearkey", "ssh-keygen", "unshare"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const user = await keyIn(folder, "user"), key = `${folder.path}/dropbear`, port = freePort();
    await Deno.mkdir(`${folder.path}/.ssh`, { mode: 0o700 });
    await Deno.writeTextFile(`${folder.path}/.ssh/authorized_keys`, `${user.line}\n`, { mode: 0o600 });
    const made = await succeed("dropbearkey", ["-t", "ed25519", "-f", key]);
    const identity = `ssh:${/SHA256:\S+/.exec(made.stdout)![0]}`;
    // It knows no other place for keys than the user's home.
    const script = 'mount --bind "$1" /root && shift && exec "$@"';
    const program = [
      find("dropbear")!,
      "-F",
      "-E",
      "-p",
      `127.0.0.1:${port}`,
      "-r",
      key,
      "-P",
      `${folder.path}/pid`,
    ];
    await using server = new Child("unshare", ["--mount", "sh", "-c", script, "sh", folder.path, ...program]);
    await server.line(/Not backgrounding/);
    const via = `via: "127.0.0.1:${port}", layers: [ssh], user: root, identity: "${identity}"`;
    await using gate = await near(via, `identities: ["${user.file}"]`);
    for (let i = 0; i < 2; i++) {
      equal(await curl(gate.port("local"), `http://localhost:${web.addr.port}/`), "hello");
    }
    equal(server.stderr.match(/Pubkey auth succeeded/g)?.length, 1);
    equal(await gate.stop(), 0);
  },
});

Deno.test({
  name: "ssh2 is a gate, which opens what it is asked for by itself",
  ignore: !need("curl", "ssh-keygen"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const user = await keyIn(folder, "user"), host = makeHostKey("ecdsa-sha2-nistp256");
    const pem = createPrivateKey(host.pem).export({ type: "sec1", format: "pem" });
    const allowed = ssh2.utils.parseKey(user.line) as ssh2.ParsedKey, asked: string[] = [];
    const server = new ssh2.Server(
      { hostKeys: [pem], algorithms: { compress: ["none"] } },
      (client: ssh2.Connection) => {
        client.on("authentication", (context: ssh2.AuthContext) => {
          if (context.method !== "publickey") return context.reject(["publickey"]);
          const { key, signature, blob, hashAlgo } = context;
          const right = allowed.getPublicSSH().equals(key.data) &&
            (!signature || allowed.verify(blob!, signature, hashAlgo) === true);
          if (right) context.accept();
          else context.reject(["publickey"]);
        });
        client.on("error", () => {});
        client.on(
          "tcpip",
          (
            accept: () => ssh2.ServerChannel,
            _reject: () => void,
            { destIP, destPort }: ssh2.TcpipRequestInfo,
          ) => {
            asked.push(destIP);
            const upstream = connect(destPort, "127.0.0.1", () => {
              const channel = accept();
              upstream.pipe(channel).pipe(upstream);
            });
          },
        );
      },
    );
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    try {
      const known = await folder.write(
        "known",
        `[127.0.0.1]:${server.address().port} ${host.algorithm} ${host.blob.toBase64()}\n`,
      );
      const via = `via: "127.0.0.1:${server.address().port}", layers: [ssh], user: somebody`;
      await using program = await near(via, `identities: ["${user.file}"], knownHosts: ["${known}"]`);
      equal(await curl(program.port("local"), `http://somewhere.test:${web.addr.port}/`), "hello");
      equal(asked, ["somewhere.test"]);
      equal(await program.stop(), 0);
    } finally {
      server.close();
    }
  },
});

Deno.test({
  name:
    "two gates know each other by their keys alone, in TLS too: many streams come whole through one connection",
  ignore: !need("curl", "openssl"),
  async fn() {
    await using folder = await Folder.make();
    const { cert, key } = await certificate(folder, "gate.test");
    const body = crypto.getRandomValues(new Uint8Array(65536));
    const whole = new Uint8Array(16 << 20).map((_, i) => body[i & 65535] ^ i >> 16);
    await using web = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      () => new Response(whole),
    );
    const idOf = async (config: string) => {
      const { stdout } = await succeed(Deno.execPath(), [
        "run",
        "-A",
        "main.ts",
        "id",
        "--json",
        "-c",
        config,
      ]);
      return JSON.parse(stdout).id as string;
    };
    const state = (name: string) => `node: { state: "${folder.path}/${name}" }\n`;
    const ids = { near: await idOf(await folder.write("near.yaml", state("near"))), far: "" };
    ids.far = await idOf(await folder.write("far.yaml", state("far")));
    await using far = await Program.start(`${state("far")}
listeners:
  edge: { address: "127.0.0.1:0", protocols: [ssh, tls] }
routes:
  - { host: "*", tls: terminate }
certificates: [{ cert: "${cert}", key: "${key}" }]
policy:
  - { allow: { identity: "key:${ids.near}", hosts: [web.test, tls.test] } }
hosts:
  web.test: { addresses: ["127.0.0.1"] }
  tls.test: { addresses: ["127.0.0.1"] }
admin: { address: "off" }
`);
    const edge = far.port("edge"), via = `via: "127.0.0.1:${edge}", identity: "key:${ids.far}"`;
    await using program = await Program.start(`${state("near")}
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks] }
hosts:
  web.test: { ${via}, layers: [ssh] }
  tls.test: { ${via}, layers: [tls, ssh] }
  "*.denied": { ${via}, layers: [ssh] }
admin: { address: "off" }
`);
    const port = program.port("local");
    const got = async (name = "web.test"): Promise<boolean> => {
      const args = ["-sS", "--max-time", "60", "-x", `socks5h://127.0.0.1:${port}`];
      const { bytes } = await succeed("curl", [...args, `http://${name}:${web.addr.port}/`]);
      return bytes.length === whole.length && bytes.every((byte, i) => byte === whole[i]);
    };
    equal(await Promise.all([got(), got(), got("tls.test")]), [true, true, true]);
    const denied = await run("curl", ["-sS", "-x", `socks5h://127.0.0.1:${port}`, "http://x.denied/"]);
    equal(denied.code, 97, denied.stderr);
    const { cause = "" } = await program.record(({ target }) => target === "x.denied:80");
    ok(cause.includes("Cannot reach x.denied:80 through SSH"), cause);
    equal([await program.stop(), await far.stop()], [0, 0]);
  },
});

Deno.test({
  name: "a gate that restarts under load costs what was under way, and no stream after it",
  ignore: !need("curl", "sshd", "ssh-keygen"),
  async fn() {
    await using web = serveHello();
    await using folder = await Folder.make();
    const [user, host] = [await keyIn(folder, "user"), await keyIn(folder, "host")], port = freePort();
    const start = () => sshd(host.file, [`AuthorizedKeysFile=${user.file}.pub`], port);
    const identity = `ssh:${await fingerprintOf(host.file)}`;
    const via = `via: "127.0.0.1:${port}", layers: [ssh], identity: "${identity}"`;
    await using program = await near(via, `identities: ["${user.file}"]`);
    const url = `http://localhost:${web.addr.port}/`, local = program.port("local");
    for (let round = 0; round < 3; round++) {
      await using server = await start();
      const all = await Promise.all(Array.from({ length: 8 }, () => curl(local, url)));
      equal(all, all.map(() => "hello"));
      const sessions = await children(server.pid);
      server.signal("SIGKILL");
      for (const pid of sessions) Deno.kill(pid, "SIGKILL");
      await server.exit();
      const { code } = await run("curl", [
        "-sS",
        "--max-time",
        "20",
        "-x",
        `socks5h://127.0.0.1:${local}`,
        url,
      ]);
      equal(code, 97);
    }
    equal(await program.stop(), 0);
  },
});

/** The processes that a server made for its connections. */
async function children(pid: number): Promise<number[]> {
  const { stdout } = await run("ps", ["-o", "pid=", "--ppid", String(pid)]);
  return stdout.trim().split(/\s+/).filter(Boolean).map(Number);
}
