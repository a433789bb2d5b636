/** How long the gate waits for who logs in, and who has to wait himself. */
import net from "node:net";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, type Output, run } from "../support/child.ts";
import { TestIssuer } from "../support/issuer.ts";
import { connect, listen, type TestServer } from "../support/net.ts";
import { LoginWorld, SSH } from "../support/ssh_login.ts";
import { Keygen, type MadeKey } from "../support/ssh_keygen.ts";

const ready = need("ssh", "ssh-keygen");
const keygen = ready ? await Keygen.make() : undefined!;
const AUDIENCE = "ssh://gate.example.test";

/** A gate that takes tokens, with these times. */
async function patient(loginTimeout: string, handshakeTimeout: string) {
  const stack = new AsyncDisposableStack(), issuer = stack.use(await TestIssuer.start());
  const more = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]\n` +
    `limits: { handshakeTimeout: ${handshakeTimeout} }`;
  const world = stack.use(await LoginWorld.start({ ssh: `loginTimeout: ${loginTimeout}`, more }, keygen));
  /** OpenSSH, whose user types for so long, again and again, and then this. */
  const types = async (seconds: number, text: string, prompts = 1): Promise<Output> => {
    const script = `#!/bin/sh\nsleep ${seconds}\nprintf %s '${text}'\n`;
    const askpass = await world.folder.write("askpass", script, 0o700);
    const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" };
    return await world.ssh(["-o", `NumberOfPasswordPrompts=${prompts}`], { env });
  };
  return { world, issuer, types, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test({
  name: "who does not log in in time is let go, whether he says nothing or tries again and again",
  ignore: !ready,
  async fn() {
    await using gate = await patient("1s", "10s");
    const silent = await gate.types(3, "wrong");
    ok(!silent.stderr.includes("Permission denied"), silent.stderr);
    const { outcome, side, cause } = await gate.world.gate.record();
    equal([outcome, side, cause], ["timeout", "client", "Cannot log in: not within 1000 ms"]);
    const { stderr } = await gate.types(0.4, "wrong", 6); // six wrong ones would end it, too
    const tries = [...stderr.matchAll(/Permission denied, please try again/g)].length;
    ok(tries > 0 && tries < 5, `${tries} tries: ${stderr}`);
    const tried = await gate.world.gate.record();
    equal([tried.outcome, tried.cause], [
      "unauthenticated",
      'Cannot log in as "pi": the password is no token',
    ]);
  },
});

Deno.test({
  name: "before the keys it is the handshake's time, for who is silent and for who sends byte by byte",
  ignore: !ready,
  async fn() {
    await using gate = await patient("1m", "1s");
    await using silent = await connect(Number(gate.world.port));
    await using slow = await connect(Number(gate.world.port));
    const trickled = (async () => {
      for (const byte of `SSH-2.0-${"slow".repeat(30)}\r\n`) {
        if (slow.ended || slow.error) return true;
        await slow.write(byte).catch(() => {});
        await new Promise((later) => setTimeout(later, 100));
      }
      return false;
    })();
    for (const client of [silent, slow]) {
      await client.readAll().catch(() => {});
      const { outcome, side, cause = "" } = await gate.world.gate.record();
      equal([outcome, side], ["timeout", "client"]);
      ok(/took longer than 1000 ms/.test(cause), cause);
    }
    ok(await trickled, "it was cut before the end of its line");
  },
});

Deno.test({
  name: "a human who types for longer than a handshake may take gets in",
  ignore: !ready,
  async fn() {
    await using gate = await patient("20s", "1s");
    const { stderr } = await gate.types(2, await gate.issuer.token({ aud: AUDIENCE }));
    ok(stderr.includes("Authenticated to 127.0.0.1"), stderr);
    equal((await gate.world.gate.record()).outcome, "ok");
  },
});

/** What comes out of it when so many wrong tokens are given from there, six on each connection. */
async function guesses(world: LoginWorld, from: readonly string[], connections: number): Promise<void> {
  const askpass = await world.folder.write("askpass", "#!/bin/sh\necho wrong\n", 0o700);
  const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force", LC_ALL: "C" };
  const options = ["-o", "NumberOfPasswordPrompts=6", ...SSH, ...from];
  const all = Array.from({ length: connections }, () => run("ssh", [...options, "pi@127.0.0.1"], { env }));
  for (const { code } of await Promise.all(all)) equal(code, 255);
}

const hits = async ({ gate }: LoginWorld): Promise<number> =>
  (await gate.service.status()).limitHits.passwords ?? 0;

const LISTENERS = `listeners:
  edge: { address: "127.0.0.1:0", protocols: [ssh] }
  proxied: { address: "127.0.0.1:0", protocols: [ssh], proxyProtocol: ["127.0.0.0/8"] }`;

/** What a proxy of this client would be. */
const proxyOf = (client: string, port: number): Promise<TestServer> =>
  listen((socket) => {
    const gate = net.connect(port, "127.0.0.1");
    gate.on("error", () => {});
    gate.on("close", () => socket.destroy());
    socket.on("close", () => gate.destroy());
    gate.write(`PROXY TCP4 ${client} 192.0.2.1 4711 22\r\n`);
    socket.pipe(gate).pipe(socket);
  });

Deno.test({
  name:
    "a source that failed 50 times waits, and no other does; behind a proxy it is the one that the proxy tells",
  ignore: !ready,
  async fn() {
    const key = await keygen.key("-t ed25519");
    await using issuer = await TestIssuer.start();
    const more = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`;
    await using world = await LoginWorld.start({ keys: [key.line], more, listeners: LISTENERS }, keygen);
    await using stack = new AsyncDisposableStack();
    const proxied = async (client: string): Promise<string[]> => {
      const proxy = stack.use(await proxyOf(client, world.gate.port("proxied")));
      return ["-p", String(proxy.port)];
    };
    const ways = [
      await Promise.all(["198.51.100.2", "198.51.100.3"].map(proxied)),
      ["127.0.0.2", "127.0.0.3"].map((host) => ["-b", host, "-p", world.port]),
    ];
    for (const [guesser, other] of ways) {
      await guesses(world, guesser, 12);
      equal([await staysOf(key, other), await staysOf(key, guesser)], [true, false], guesser.join(" "));
    }
    for (const source of ["198.51.100.2", "127.0.0.2"]) { // a line for each, and none for its connections
      const lines = world.gate.messages.filter((line) => line.startsWith(`${source} gave `));
      ok(
        lines.length === 1 && /gave \d+ wrong logins on listener \S+ \(ssh\)/.test(lines[0]),
        lines.join("\n"),
      );
      const before = await hits(world), { length } = world.gate.records;
      const [guesser] = source === "127.0.0.2" ? ways[1] : ways[0];
      for (let i = 0; i < 3; i++) equal(await staysOf(key, guesser), false);
      equal([await hits(world) - before, world.gate.records.length], [3, length]);
    }
  },
});

/** Whether its owner gets in from there. */
async function staysOf({ file }: MadeKey, from: readonly string[]): Promise<boolean> {
  await using child = new Child("ssh", [
    ...[...SSH, "-o", "BatchMode=yes", "-N", "-i", file],
    ...[...from, "pi@127.0.0.1"],
  ]);
  return await child.until(() =>
    child.stderr.includes("Authenticated to") || (child.ended ? false : undefined)
  );
}
