/** Sessions of the clients that people have, on a whole gate: what they see, run, and are refused. */
import { readFileSync } from "node:fs";
import ssh2 from "ssh2";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { find, need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, run, succeed } from "../support/child.ts";
import { connect, listen, socks } from "../support/net.ts";
import { DOMAIN, makeKey, SSH, SshGate } from "../support/ssh_gate.ts";
import { Terminal } from "../support/terminal.ts";

openssl(); // the library stays: no test is to be blamed for it

const ADMIN = `environment="UGATE_ROLE=admin"`, NAME = `pi.${DOMAIN}`;
const HOME = "/nonexistent";
const permits = (...ports: readonly number[]) => ports.map((port) => `permitlisten="${NAME}:${port}"`).join();

/** Answers every request alike. */
const web = () =>
  listen((socket) => {
    socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
  });

async function get(port: number, path: string): Promise<string> {
  await using client = await connect(port);
  await client.write(`GET ${path} HTTP/1.1\r\nhost: ${NAME}\r\nconnection: close\r\n\r\n`);
  return new TextDecoder().decode(await client.readAll());
}

Deno.test({
  name: "OpenSSH upon a terminal: the names it is reached by, requests as they come, and q",
  ignore: !need("ssh", "script"),
  async fn() {
    await using backend = await web();
    const key = await makeKey();
    const listeners = ['w: { address: "127.0.0.1:0", protocols: [http] }'];
    await using gate = await SshGate.start({ lines: [`${permits(80, 22)} ${key.line}`], listeners });
    const port = gate.gate.port("w");
    const offers = [`${NAME}:80:127.0.0.1:${backend.port}`, `${NAME}:22:127.0.0.1:1`];
    const args = gate.args(key, ["-tt", ...offers.flatMap((offer) => ["-R", offer])]);
    await using terminal = new Terminal([find("ssh")!, ...args], 130, 30);
    await terminal.until((drawn) => drawn.includes(`http://${NAME}:${port}`));
    await terminal.until((drawn) => new RegExp(`ssh -J \\S+:${gate.port} ${NAME}`).test(drawn));
    ok((await get(port, "/a%1b%5b2J?x")).endsWith("hello"));
    await terminal.until((drawn) =>
      new RegExp(`127\\.0\\.0\\.1 +${NAME}:80  GET /a%1b%5b2J  200  .*5B`).test(drawn)
    );
    const [node] = await gate.gate.service.nodes();
    equal([...node.names].sort(), [`${NAME}:22`, `${NAME}:80`]);
    equal([node.proof, node.protocol, node.listener, node.served], ["ssh key", "ssh", "s", 1]);
    ok(node.up > 40 && node.down > 40 && node.roundTrip! > 0, JSON.stringify(node));
    await terminal.type("q");
    equal(await terminal.end(), 0);
    ok(terminal.drawn.includes("\x1b[J\r\x1b[JConnection to 127.0.0.1 closed."), terminal.drawn.slice(-200));
    await gate.gate.record(({ id }) => id === node.id);
    equal(await gate.gate.service.nodes(), []);
  },
});

Deno.test({
  name: "OpenSSH without a terminal: line by line, also of who jumps to it and of who finds nobody there",
  ignore: !need("ssh"),
  async fn() {
    await using backend = await web();
    const key = await makeKey();
    await using gate = await SshGate.start({ lines: [`${permits(5432, 22)} ${key.line}`] });
    const offers = ["-R", `${NAME}:5432:127.0.0.1:${backend.port}`, "-R", `${NAME}:22:127.0.0.1:1`];
    await using child = new Child("ssh", gate.args(key, ["-T", ...offers]));
    await child.until(() => child.stdout.includes(`ssh -N -L 5432:${NAME}:5432`) || undefined);
    ok(!child.stdout.includes("\x1b") && !child.stdout.includes("\r"), child.stdout);
    await gate.fetch(key, `${NAME}:5432`, "x");
    await gate.fetch(key, `${NAME}:22`, "x");
    await child.until(() => new RegExp(`${NAME}:5432  ssh  ok  .*44B`).test(child.stdout) || undefined);
    await child.until(() => new RegExp(`${NAME}:22  ssh  refused`).test(child.stdout) || undefined);
  },
});

Deno.test({
  name: "who comes by another engine is shown as who comes by its own, and counted",
  ignore: !need("ssh"),
  async fn() {
    await using backend = await web();
    const key = await makeKey(), listeners = ['w: { address: "127.0.0.1:0", protocols: [http, socks] }'];
    await using gate = await SshGate.start({
      lines: [`${permits(80, 5432)} ${key.line}`],
      listeners,
      more: "engine: { threads: 2 }\ndiscovery: [file, mesh]",
    });
    const offers = [80, 5432].flatMap((port) => ["-R", `${NAME}:${port}:127.0.0.1:${backend.port}`]);
    await using child = new Child("ssh", gate.args(key, ["-T", ...offers]));
    await child.until(() => child.stdout.includes(`:5432`) && child.stdout.includes("http://") || undefined);
    const port = gate.gate.port("w"), engines = new Set<string>();
    const ask = async (number: number): Promise<void> =>
      ok((await get(port, `/${number}.`)).endsWith("hello"));
    const visit = async (number: number): Promise<void> => {
      await using client = await connect(port);
      await socks(client, NAME, 5432);
      await client.write("x".repeat(number));
      ok((await client.text()).endsWith("hello"));
    };
    let visits = 0, moved = 0;
    while (visits < 100 && engines.size < 4) { // some at once: else one engine takes them all
      const numbers = Array.from({ length: 5 }, () => ++visits);
      await Promise.all(numbers.flatMap((number) => [ask(number), visit(number)]));
      for (let i = 0; i < 2 * numbers.length; i++) {
        const { id, protocol, up, down } = await gate.gate.record(({ listener }) => listener === "w");
        engines.add(`${protocol} ${id % 2}`);
        moved += up + down;
      }
    }
    equal(engines.size, 4);
    for (let number = 1; number <= visits; number++) {
      const lines = [`${NAME}:80  GET /${number}\\.  200`, `${NAME}:5432  socks  ok  .*  ${43 + number}B`];
      for (const line of lines) await child.until(() => new RegExp(line).test(child.stdout) || undefined);
    }
    const [node] = await gate.gate.service.nodes();
    ok(node.up + node.down >= moved && node.served >= visits, JSON.stringify(node));
  },
});

Deno.test({
  name: "verbs are run for the role admin alone, and whoever asks gets their exit code",
  ignore: !need("ssh"),
  async fn() {
    const admin = await makeKey(), other = await makeKey(), forced = await makeKey();
    await using gate = await SshGate.start({
      lines: [`${ADMIN} ${admin.line}`, other.line, `${ADMIN},command="version" ${forced.line}`],
    });
    const ask = (key: typeof admin, command: string) =>
      run("ssh", [...gate.args(key), ...command.split(" ")]);
    const status = await ask(admin, "status");
    ok(status.code === 0 && /^ugate .*1 connection$/m.test(status.stdout), status.stdout + status.stderr);
    equal(JSON.parse((await ask(admin, "nodes --json")).stdout), { total: 0, nodes: [] });
    equal(JSON.parse((await ask(admin, "connections --json")).stdout).total, 1);
    ok(/^ID +[A-Z0-9]{52}$/m.test((await ask(admin, "id")).stdout));
    for (
      const [key, command, code, said] of [
        [admin, "bash -i", 127, 'Cannot run "bash"'],
        [admin, "status --all", 1, "Cannot run status"],
        [other, "status", 1, "Cannot run status: it is for who has the role admin"],
      ] as const
    ) {
      const { code: ended, stdout, stderr } = await ask(key, command);
      equal([ended, stdout, stderr.includes(said)], [code, "", true], stderr);
    }
    equal((await ask(other, "help")).code, 0);
    ok(/^ugate \S+ \(Deno/.test((await ask(forced, "bash")).stdout));
  },
});

Deno.test({
  name: "sftp and scp read why there are no files",
  ignore: !need("sftp", "ssh"),
  async fn() {
    const key = await makeKey();
    await using gate = await SshGate.start({ lines: [`${ADMIN} ${key.line}`] });
    const args = [...SSH, "-i", key.file, "-P", String(gate.port)];
    const { code, stderr } = await run("sftp", [...args, "pi@127.0.0.1"]);
    ok(code !== 0 && stderr.includes("Cannot transfer files: this gate has no files"), stderr);
  },
});

Deno.test({
  name: "no-pty gets no terminal, and lines in its place",
  ignore: !need("ssh", "script"),
  async fn() {
    const key = await makeKey();
    await using gate = await SshGate.start({ lines: [`no-pty ${key.line}`] });
    await using terminal = new Terminal([find("ssh")!, ...gate.args(key)], 80, 24);
    await terminal.until((drawn) => drawn.includes("PTY allocation request failed"));
    await terminal.until((drawn) => drawn.includes("Nothing is reached through this connection so far"));
    ok(!terminal.drawn.includes("\x1b[H"), JSON.stringify(terminal.drawn));
  },
});

Deno.test({
  name: "dropbear's client has the status, with a terminal and without, and verbs",
  ignore: !need("dbclient", "dropbearkey", "script"),
  async fn() {
    await using folder = await Folder.make();
    const file = `${folder.path}/key`, env = { HOME };
    const made = await succeed("dropbearkey", ["-t", "ed25519", "-f", file]);
    const line = /^ssh-ed25519 \S+/m.exec(made.stdout)![0];
    await using gate = await SshGate.start({ lines: [`${ADMIN} ${line}`] });
    const args = ["-y", "-y", "-i", file, "-p", String(gate.port), "pi@127.0.0.1"];
    const version = await run("dbclient", [...args, "version"], { env });
    ok(version.code === 0 && /^ugate \S+ \(Deno/.test(version.stdout), version.stdout + version.stderr);
    equal((await run("dbclient", [...args, "reboot"], { env })).code, 127);
    await using child = new Child("dbclient", ["-T", ...args], { env });
    await child.until(() => child.stdout.includes("Nothing is reached") || undefined);
    await using terminal = new Terminal([find("dbclient")!, ...args], 80, 24);
    await terminal.until((drawn) => drawn.includes("(q, Ctrl-C or Ctrl-D ends this)"));
    await terminal.type("\x04");
    equal(await terminal.end(), 0);
  },
});

Deno.test({
  name: "plink has the status, with a terminal and without, and verbs",
  ignore: !need("plink", "puttygen", "ssh", "ssh-keygen", "script"),
  async fn() {
    await using folder = await Folder.make();
    const key = await makeKey(), ppk = `${folder.path}/key.ppk`, env = { HOME: folder.path };
    await succeed("puttygen", [key.file, "-O", "private", "-o", ppk], { env });
    await using gate = await SshGate.start({ lines: [`${ADMIN} ${key.line}`] });
    const known = `${folder.path}/known`;
    await run("ssh", ["-o", `UserKnownHostsFile=${known}`, ...gate.args(key), "version"]);
    const print = (await succeed("ssh-keygen", ["-lf", known])).stdout.split(" ")[1];
    const args = ["-ssh", "-batch", "-noagent", "-i", ppk, "-hostkey", print, "-P", String(gate.port)];
    const version = await run("plink", [...args, "pi@127.0.0.1", "version"], { env });
    ok(version.code === 0 && /^ugate \S+ \(Deno/.test(version.stdout), version.stdout + version.stderr);
    await using child = new Child("plink", [...args, "-T", "pi@127.0.0.1"], { env });
    await child.until(() => child.stdout.includes("Nothing is reached") || undefined);
    await using terminal = new Terminal([find("plink")!, ...args, "-t", "pi@127.0.0.1"], 80, 24);
    await terminal.until((drawn) => drawn.includes("(q, Ctrl-C or Ctrl-D ends this)"));
    await terminal.type("\x03");
    equal(await terminal.end(), 0);
  },
});

const ASYNCSSH = `
import asyncio, asyncssh, sys
async def main(port, key):
    async with asyncssh.connect("127.0.0.1", port, username="pi", client_keys=[key], known_hosts=None, config=None,
                                agent_path=None) as conn:
        result = await conn.run("version")
        print(result.exit_status, result.stdout.split()[0])
        result = await conn.run("reboot")
        print(result.exit_status, result.stderr.strip())
        process = await conn.create_process(term_type="xterm", term_size=(100, 20))
        text = ""
        while "(q," not in text:
            text += await process.stdout.read(1000)
        process.change_terminal_size(60, 10)
        process.send_signal("INT")
        print((await process.wait()).exit_status)
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
`;

Deno.test({
  name: "asyncssh has the status, other sizes, signals, and verbs",
  ignore: !need("/usr/bin/python3", "/usr/lib/python3/dist-packages/asyncssh/__init__.py"),
  async fn() {
    const key = await makeKey();
    await using gate = await SshGate.start({ lines: [`${ADMIN} ${key.line}`] });
    const args = ["-c", ASYNCSSH, String(gate.port), key.file];
    const { stdout, stderr } = await run("/usr/bin/python3", args, { env: { HOME } });
    const refusal =
      'Cannot run "reboot": here are status, nodes, connections, id, version and help, and no shell';
    equal(stdout.split("\n"), ["0 ugate", `127 ${refusal}`, "0", ""], stderr);
  },
});

Deno.test("ssh2 has verbs, the status, and no files", async () => {
  const key = await makeKey();
  await using gate = await SshGate.start({ lines: [`${ADMIN} ${key.line}`] });
  const client = new ssh2.Client(), closed = Promise.withResolvers<void>();
  client.on("close", () => closed.resolve());
  const ready = new Promise<void>((resolve, reject) => client.on("ready", resolve).on("error", reject));
  const { port } = gate, privateKey = readFileSync(key.file);
  client.connect({ host: "127.0.0.1", port, username: "pi", privateKey } as ssh2.ConnectConfig);
  await ready;
  const ended = Promise.withResolvers<[string, number]>();
  client.exec("version", (failed: Error | undefined, channel: ssh2.ClientChannel) => {
    if (failed) return ended.reject(failed);
    let text = "";
    channel.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
    channel.on("close", (code: number) => ended.resolve([text.split(" ")[0], code]));
  });
  equal(await ended.promise, ["ugate", 0]);
  const sftp = Promise.withResolvers<Error | undefined>();
  client.sftp((failed: Error | undefined) => sftp.resolve(failed));
  ok(await sftp.promise instanceof Error);
  const shell = Promise.withResolvers<number>();
  client.shell((failed: Error | undefined, channel: ssh2.ClientChannel) => {
    if (failed) return shell.reject(failed);
    let text = "";
    channel.on("data", (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      if (text.includes("(q,")) channel.write("q");
    });
    channel.on("close", (code: number) => shell.resolve(code));
  });
  equal(await shell.promise, 0);
  client.end();
  await closed.promise;
});
