/** Who may forward what, as a table of identities and verbs; and what is cut when that changes. */
import { Refusal } from "../../protocols/ssh/keys/fields.ts";
import { fingerprint, keyId, readPublicKey } from "../../protocols/ssh/keys/public_key.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { freePort, freePorts } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child } from "../support/child.ts";
import { type Client, connect, connectUnix, listen, listenEcho } from "../support/net.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";
import { makeCertificate, makeKey, SshGate } from "../support/ssh_gate.ts";

openssl(); // stays open

function idOf({ blob }: MadeKey): string {
  const key = readPublicKey(blob);
  if (key instanceof Refusal) throw key;
  return `key:${keyId(key)}`;
}

/** Whether what is said there comes back. */
async function echoes(client: Client): Promise<boolean> {
  await using _client = client;
  await client.write("hello").catch(() => {});
  client.end();
  return await client.text().then((text) => text === "hello", () => false);
}

/** What each verb of -L and -R comes to, for who logs in with this key. */
async function verbsOf(gate: SshGate, key: MadeKey, echo: number, dir: string, port: number) {
  const local = freePort(), id = key.file.replaceAll("/", "_");
  const args = gate.args(key, [
    ...["-v", "-N", "-L", `${local}:127.0.0.1:${echo}`, "-L", `${dir}/${id}:${dir}/far`],
    ...["-R", `localhost:${port}:127.0.0.1:${echo}`, "-R", `localhost:443:127.0.0.1:${echo}`],
    ...["-R", `${dir}/near:${dir}/far`],
  ]);
  await using child = new Child("ssh", args);
  const answers = await child.until(() => {
    const all = [
      ...child.stderr.matchAll(/remote forward (\w+) for: listen (?:\S+:)?(\d+|\/\S+)(?::-\d+)?,/g),
    ];
    return all.length >= 3 ? all : undefined;
  });
  const granted = new Map(
    answers.map(([, what, where]) => [where.replace(/:-\d+$/, ""), what === "success"]),
  );
  return {
    port: await echoes(await connect(local)),
    path: await echoes(await connectUnix(`${dir}/${id}`)),
    listen: granted.get(String(port)),
    name: granted.get("443"),
    bind: granted.get(`${dir}/near`),
  };
}

Deno.test({
  name: "what each identity may forward: ports, paths, sockets, names",
  ignore: !need("ssh"),
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "ugate-test-" });
    try {
      await using echo = await listenEcho();
      await using _far = await listen((socket) => socket.pipe(socket), `${dir}/far`);
      const [ops, plain, guest, tied, narrow, named, authority] = await Promise.all(
        Array.from({ length: 7 }, () => makeKey()),
      );
      const certified = await makeCertificate(authority, { principals: "pi" });
      const bare = await makeCertificate(authority, { principals: "pi", options: ["clear"] });
      const port = freePort(), listens = `permitlisten="${port}"`;
      const role = (name: string) => `environment="UGATE_ROLE=${name}"`;
      const everything = `addresses: ["127.0.0.0/8", "unix:${dir}/far", "unix:${dir}/near"]`;
      const allow = (who: string, what: string) =>
        `{ allow: { protocol: ssh, identity: "${who}", ${what} } }`;
      const echoing = `addresses: ["127.0.0.0/8"], ports: [${echo.port}]`;
      await using gate = await SshGate.start({
        address: ":0", // beyond loopback nothing is allowed that no rule allows
        lines: [
          `${role("ops")},${listens} ${ops.line}`,
          `${listens} ${plain.line}`,
          `${role("guest")},${listens} ${guest.line}`,
          `restrict,${listens} ${tied.line}`,
          `${role("ops")},permitopen="127.0.0.1:1" ${narrow.line}`,
          `cert-authority ${authority.line}`,
        ],
        policy: [
          allow("role:ops", everything),
          allow("role:guest", everything),
          allow(idOf(tied), everything),
          allow(`principal:pi@${fingerprint(authority.blob)}`, echoing),
          allow(idOf(named), echoing),
        ],
      });
      const yes = true, no = false;
      const table: [who: string, key: MadeKey, verbs: Awaited<ReturnType<typeof verbsOf>>][] = [
        ["a role", ops, { port: yes, path: yes, listen: yes, name: yes, bind: yes }],
        ["no rule", plain, { port: no, path: no, listen: yes, name: yes, bind: no }],
        ["a guest", guest, { port: yes, path: yes, listen: no, name: no, bind: no }],
        ["restrict", tied, { port: no, path: no, listen: no, name: no, bind: no }],
        ["permitopen", narrow, { port: no, path: no, listen: no, name: yes, bind: yes }],
        ["a principal", certified, { port: yes, path: no, listen: no, name: yes, bind: no }],
        ["no permit-port-forwarding", bare, { port: no, path: no, listen: no, name: no, bind: no }],
        ["a key of a rule", named, { port: yes, path: no, listen: no, name: yes, bind: no }],
      ];
      for (const [who, key, verbs] of table) {
        equal(await verbsOf(gate, key, echo.port, dir, port), verbs, who);
      }
      for (const [who, , { path }] of table) {
        const { outcome } = await gate.gate.record(({ target }) => target === `unix:${dir}/far`);
        equal(outcome, path ? "ok" : "denied", who);
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "a reload that takes a right away cuts what it had opened, and no more",
  ignore: !need("ssh"),
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "ugate-test-" });
    try {
      await using echo = await listenEcho();
      await using other = await listenEcho();
      await using _far = await listen((socket) => socket.pipe(socket), `${dir}/far`);
      const key = await makeKey(), [one, two] = freePorts(2);
      const allow = (what: string) => `{ allow: { protocol: ssh, identity: "${idOf(key)}", ${what} } }`;
      const ports = (...ports: number[]) => allow(`addresses: ["127.0.0.0/8"], ports: [${ports.join(", ")}]`);
      const paths = allow(`addresses: ["unix:${dir}/near"]`);
      await using gate = await SshGate.start({
        address: ":0",
        lines: [key.line],
        policy: [ports(echo.port, other.port), paths],
      });
      await using _ssh = await gate.stay(key, [
        ...["-L", `${one}:127.0.0.1:${echo.port}`, "-L", `${two}:127.0.0.1:${other.port}`],
        ...["-R", `${dir}/near:${dir}/far`],
      ], /remote forward success/);
      await using cut = await connect(one);
      await using kept = await connect(two);
      await using came = await connectUnix(`${dir}/near`);
      for (const client of [cut, kept, came]) {
        await client.write("a");
        await client.read(1);
      }
      await gate.reload({ policy: [ports(other.port)] });
      equal(await cut.text().catch(() => ""), "");
      equal(await came.text().catch(() => ""), "");
      const lost = [0, 1].map(() => gate.gate.record(({ parent }) => parent !== undefined));
      for (const { outcome, target, cause } of await Promise.all(lost)) {
        equal(outcome, "denied", `${target} ${cause}`);
      }
      ok(
        gate.gate.messages.some((line) => line.startsWith(`Cannot listen on unix:${dir}/near: refused by `)),
      );
      equal(await Deno.stat(`${dir}/near`).then(() => "there", () => "gone"), "gone");
      await kept.write("b");
      equal(new TextDecoder().decode(await kept.read(1)), "b");
      ok(!await echoes(await connect(one)));
      ok(await echoes(await connect(two)));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "an explicit deny holds on loopback, where SSH is trusted as other proxies are",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey(), denied = `{ deny: { protocol: ssh, ports: [${echo.port}] } }`;
    await using gate = await SshGate.start({ lines: [key.line] });
    equal((await gate.fetch(key, `127.0.0.1:${echo.port}`, "hello")).stdout, "hello");
    await gate.reload({ policy: [denied] });
    const { stdout, stderr } = await gate.fetch(key, `127.0.0.1:${echo.port}`, "hello");
    equal(stdout, "");
    ok(/administratively prohibited: not allowed/.test(stderr), stderr);
    const nobody = (await gate.fetch(key, "nobody.invalid:80")).stderr;
    ok(/connect failed: nobody knows the name/.test(nobody), nobody);
  },
});
