/** Names that stock clients of SSH register with -R, reached by whom people reach them with. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { Child, run, succeed } from "../support/child.ts";
import { echoRequests, rawUpstream } from "../support/http_peers.ts";
import { connect, listen, listenEcho, socks, type TestServer } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { freePort } from "../../scripts/free_ports.ts";
import { startSshd } from "../support/servers.ts";
import { makeCertificate, makeKey, SshGate } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";
import { idOf } from "../support/ssh_rights.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { keyId, type PublicKey, readPublicKey } from "../../protocols/ssh/keys/public_key.ts";

const authority = await Authority.make("names"), PI = "pi.mesh.example.com";
openssl(); // it stays open: not in a test
const ignore = !need("ssh", "curl");
const SUCCESS = /remote forward success/;

const grant = (line: string, ...ports: number[]): string =>
  `${ports.map((port) => `permitlisten="${PI}:${port}"`).join(",")} ${line}`;

const start = (lines: readonly string[], threads = 1, more = ""): Promise<SshGate> =>
  SshGate.start({
    lines,
    listeners: [
      `edge: { address: "127.0.0.1:0", protocols: [tls, http] }`,
      `proxy: { address: "127.0.0.1:0", protocols: [socks] }`,
    ],
    more: `engine: { threads: ${threads} }\ndiscovery: [file, mesh]\n${more}`,
  });

/** What curl prints of a URL whose host is the gate's edge. */
async function curl(gate: SshGate, url: string, ...more: string[]): Promise<string> {
  const port = gate.gate.port("edge"), { hostname, protocol } = new URL(url);
  const at = ["--resolve", `${hostname}:${port}:127.0.0.1`, "--cacert", authority.root.chainFile];
  const asked = url.replace(`${protocol}//${hostname}`, `${protocol}//${hostname}:${port}`);
  return (await succeed("curl", ["-sS", "--max-time", "20", ...at, ...more, asked])).stdout;
}

/** HTTPS that answers everybody with one word. */
const startSecure = async (word: string): Promise<TestServer> =>
  await listen(
    (socket) => {
      socket.once(
        "data",
        () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${word.length}\r\n\r\n${word}`),
      );
    },
    0,
    await authority.issue([PI]),
  );

/** How many times a pattern has to be there before a client is ready. */
const after = (count: number): RegExp => new RegExp(`(?:${SUCCESS.source}[^]*){${count}}`);

for (const threads of [1, 2]) {
  Deno.test({
    name: `ssh -R: browsers by SNI and by Host, SOCKS and ssh -J, on ${threads} engines`,
    ignore: ignore || !need("sshd"),
    async fn() {
      const key = await makeKey();
      await using gate = await start([grant(key.line, 443, 80, 22)], threads);
      await using secure = await startSecure("from the pi");
      await using web = await rawUpstream(echoRequests);
      await using sshd = await startSshd(gate.folder);
      await using _node = await gate.stay(key, [
        ...["-R", `${PI}:443:127.0.0.1:${secure.port}`, "-R", `${PI}:80:127.0.0.1:${web.port}`],
        ...["-R", `${PI}:0:127.0.0.1:${sshd.port}`],
      ], after(3));
      for (let i = 0; i < 6; i++) {
        equal(await curl(gate, `https://${PI}/`), "from the pi");
        equal(await curl(gate, `http://${PI}/a`, "-d", "hello"), "/a hello");
      }
      await jump(gate, key.file, sshd.args);
      const [node] = await gate.gate.service.nodes();
      equal([...node.names].sort(), [`${PI}:22`, `${PI}:443`, `${PI}:80`]);
    },
  });
}

/** To the node's own sshd, by -J through the gate. */
async function jump(gate: SshGate, key: string, args: readonly string[]): Promise<void> {
  const config = await gate.folder.write(
    "jump",
    `Host gate\n HostName 127.0.0.1\n Port ${gate.port}\n User pi\n IdentityFile ${key}\n` +
      " IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n",
  );
  const rest = args.slice(args.indexOf("-F") + 2);
  const through = ["-F", config, "-J", "gate", ...rest, `${Deno.env.get("USER") ?? "root"}@${PI}`];
  equal((await succeed("ssh", [...through, "cat"], { stdin: "there and back" })).stdout, "there and back");
}

Deno.test({
  name: "megabytes come through a name byte by byte, each way",
  ignore,
  async fn() {
    const key = await makeKey(), bytes = pattern(5_000_000, 3);
    await using gate = await start([grant(key.line, 8080)], 2);
    await using echo = await listenEcho();
    await using _node = await gate.stay(key, ["-R", `${PI}:8080:127.0.0.1:${echo.port}`], SUCCESS);
    await Promise.all(Array.from({ length: 6 }, async () => {
      await using client = await connect(gate.gate.port("proxy"));
      await socks(client, PI, 8080);
      void client.write(bytes).then(() => client.end());
      const got = await client.readAll();
      ok(got.length === bytes.length && got.every((byte, i) => byte === bytes[i]), `${got.length}`);
    }));
  },
});

Deno.test({
  name: "a stranger cannot take a name, neither a live one nor a free one; its owner takes it over at once",
  ignore,
  async fn() {
    const key = await makeKey(), stranger = await makeKey(), rival = await makeKey();
    await using gate = await start([grant(key.line, 8080), stranger.line, grant(rival.line, 8080)]);
    await using old = await listenEcho();
    await using web = await rawUpstream(echoRequests);
    const refused = async (who: typeof key, name: string) => {
      const args = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", `${name}:8080:127.0.0.1:1`];
      const { code, stderr } = await run("ssh", gate.args(who, args), { most: 20_000 });
      ok(code !== 0 && /remote port forwarding failed/.test(stderr), stderr);
    };
    await refused(stranger, PI);
    await refused(key, "pi.example.com");
    await using first = await gate.stay(key, ["-R", `${PI}:8080:127.0.0.1:${old.port}`], SUCCESS);
    await refused(stranger, PI);
    await refused(rival, PI); // it is granted, and live
    await using _second = await gate.stay(key, ["-R", `${PI}:8080:127.0.0.1:${web.port}`], SUCCESS);
    const proxy = `socks5h://127.0.0.1:${gate.gate.port("proxy")}`;
    equal((await succeed("curl", ["-sS", "-x", proxy, `http://${PI}:8080/new`])).stdout, "/new ");
    first.signal("SIGKILL");
    await gate.gate.record(({ parent, protocol }) => protocol === "ssh" && parent === undefined);
    equal((await succeed("curl", ["-sS", "-x", proxy, `http://${PI}:8080/still`])).stdout, "/still ");
  },
});

/** What the client is told of each name that it asks for, in the order of the answers. */
async function asked(gate: SshGate, key: MadeKey, names: readonly string[]): Promise<Map<string, boolean>> {
  const forwards = names.flatMap((name) => ["-R", `${name}:127.0.0.1:1`]);
  await using child = new Child("ssh", gate.args(key, ["-v", "-N", ...forwards]));
  const answers = await child.until(() => {
    const all = [...child.stderr.matchAll(/remote forward (\w+) for: listen (\S+), connect/g)];
    return all.length >= names.length ? all : undefined;
  });
  return new Map(answers.map(([, what, name]) => [name, what === "success"]));
}

Deno.test({
  name: "names that lie are refused in whatever spelling, and one's own is granted in any",
  ignore,
  async fn() {
    const key = await makeKey(), other = await makeKey(), id = idOf(other).slice("key:".length).toLowerCase();
    await using gate = await start([grant(key.line, 80), other.line]);
    const own = idOf(key).slice("key:".length), mine = `${own}.mesh.example.com:8080`;
    const right = [`${PI}:80`, mine, `${own.toLowerCase()}.m:8081`];
    const lies = [
      ...["pi.example.com:80", "mesh.example.com:80", `x.${PI}:80`, `${PI}.example.com:80`, "pi:80"],
      ...[`${id}.mesh.example.com:80`, `${id}.m:80`, `${id.toUpperCase()}.h.mesh.internal:80`, `${id}:80`],
      ...["*.mesh.example.com:80", "*.pi.mesh.example.com:80", `${PI}:81`, "gate.mesh.example.com:80"],
      ...["xn--pi-.mesh.example.com:80", "192.0.2.1:8080", "0x7f000001:8083", "[2001:db8::1]:8080"],
      ...["localhost.mesh.example.com:80", "pi..mesh.example.com:80", ".mesh.example.com:80"],
    ];
    const told = await asked(gate, key, [...right, ...lies]);
    equal([...told].filter(([, granted]) => granted).map(([name]) => name).sort(), [...right].sort());
    for (const mine of ["PI.mesh.example.com:80", `${PI}.:80`]) {
      equal([...(await asked(gate, key, [mine])).values()], [true], mine);
    }
  },
});

Deno.test({
  name: "of hundreds of names a connection has 64, and others get theirs",
  ignore,
  async fn() {
    const key = await makeKey(), other = await makeKey();
    const names = Array.from({ length: 250 }, (_, i) => `n${i}.mesh.example.com:80`);
    const line = names.map((name) => `permitlisten="${name}"`).join(",");
    await using gate = await start([`${line} ${key.line}`, grant(other.line, 80)]);
    const told = await asked(gate, key, names);
    equal([...told.values()].filter((granted) => granted).length, 64);
    await using _other = await gate.stay(other, ["-R", `${PI}:80:127.0.0.1:1`], SUCCESS);
  },
});

Deno.test({
  name:
    "an allow rule with hosts lets somebody reach a name, and not take it; the log says what would give it",
  ignore,
  async fn() {
    const named = await makeKey(), listed = await makeKey();
    const allow = (key: MadeKey) =>
      `{ allow: { identity: "key:${keyId(readPublicKey(key.blob) as PublicKey)}", hosts: "${PI}" } }`;
    await using gate = await SshGate.start({ lines: [listed.line], policy: [allow(named), allow(listed)] });
    for (const key of [named, listed]) {
      const args = ["-v", "-o", "ExitOnForwardFailure=yes", "-N", "-R", `${PI}:443:127.0.0.1:1`];
      const { code, stderr } = await run("ssh", gate.args(key, args), { most: 20_000 });
      ok(code !== 0 && stderr.includes("Remote: "), stderr);
      const words = `permitlisten="${PI}:443" in the line of its key does`;
      ok(stderr.includes(words), stderr);
      ok(gate.gate.messages.some((text) => text.includes(words)), gate.gate.messages.join("\n"));
    }
    const told = gate.gate.messages.filter((text) => text.startsWith(`Cannot forward ${PI}: `));
    equal(told.length, 2);
    ok(told[0].includes("the rule of policy that lets this key in gives it no name"), told[0]);
    equal(await gate.gate.service.nodes(), []);
  },
});

Deno.test({
  name: "a certificate's principal is a name, and port 80 alone has TLS end at the gate",
  ignore,
  async fn() {
    const ca = await makeKey(), own = await authority.issue(["nas.mesh.example.com"]);
    const key = await makeCertificate(ca, { principals: "nas,pi" });
    await using gate = await start(
      [`cert-authority ${ca.line}`],
      2,
      `certificates: [{ cert: ${own.chainFile}, key: ${own.keyFile} }]`,
    );
    await using web = await rawUpstream(echoRequests);
    await using _node = await gate.stay(key, ["-R", `80:127.0.0.1:${web.port}`], SUCCESS);
    equal(await curl(gate, "https://nas.mesh.example.com/secure"), "/secure ");
    equal(await curl(gate, "http://nas.mesh.example.com/clear"), "/clear ");
    equal(await curl(gate, "http://pi.mesh.example.com/pi"), "/pi ");
  },
});

Deno.test({
  name: "dropbear's client registers names like any other",
  ignore: ignore || !need("dbclient", "dropbearkey"),
  async fn() {
    await using gate = await start([]);
    const file = `${gate.folder.path}/dropbear`;
    const made = await succeed("dropbearkey", ["-t", "ed25519", "-f", file]);
    const line = made.stdout.split("\n").find((one) => one.startsWith("ssh-"))!;
    await gate.reload({ lines: [grant(line, 80)] });
    await using web = await rawUpstream(echoRequests);
    const forward = ["-R", `${PI}:80:127.0.0.1:${web.port}`, "-p", String(gate.port), "pi@127.0.0.1"];
    await using _node = new Child("dbclient", ["-y", "-y", "-i", file, "-N", ...forward]);
    await registered(gate);
    equal(await curl(gate, `http://${PI}/dropbear`), "/dropbear ");
  },
});

async function registered(gate: SshGate): Promise<void> {
  for (let i = 0; i < 200 && (await gate.gate.service.nodes()).length === 0; i++) {
    await new Promise((later) => setTimeout(later, 50));
  }
}

Deno.test({
  name: "explain tells where a name leads, and that nobody is connected under it",
  ignore,
  async fn() {
    const key = await makeKey(), admin = freePort();
    await using gate = await start([grant(key.line, 443)], 1, `admin: { address: "127.0.0.1:${admin}" }`);
    const file = await gate.folder.write("explained.yaml", gate.gate.disk.text);
    const explain = async (...args: string[]) => {
      const { code, stdout } = await run(Deno.execPath(), [
        "run",
        "-A",
        "main.ts",
        "explain",
        "-c",
        file,
        ...args,
      ]);
      return { code, stdout };
    };
    const asked = ["--listener", "proxy", `${PI}:443`];
    const absent = await explain(...asked);
    ok(
      absent.code === 1 && absent.stdout.includes(`Cannot connect to ${PI}:443: it is not connected`),
      absent.stdout,
    );
    await using _node = await gate.stay(key, ["-R", `${PI}:443:127.0.0.1:1`], SUCCESS);
    const there = await explain(...asked);
    ok(there.code === 0 && there.stdout.includes(`${PI}:443 mesh`), there.stdout);
    const sni = await explain("--listener", "edge", "--sni", PI);
    ok(sni.code === 0 && sni.stdout.includes(`mesh ${PI}:443`), sni.stdout);
  },
});
