/** The classic use: one port for everything, told apart by the first bytes, with the programs people have. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { pattern } from "../support/net.ts";
import { Program } from "../support/program.ts";
import { startMosquitto, startOpensslHttps, startPythonHttps, startSshd } from "../support/servers.ts";

const MEGABYTES = 8;

const PYTHON_CLIENT = `
import socket, ssl, sys
port, name, cert = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with socket.create_connection(("127.0.0.1", port), 10) as raw:
    with ssl.create_default_context(cafile=cert).wrap_socket(raw, server_hostname=name) as secure:
        secure.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        answer = b""
        while chunk := secure.recv(4096): answer += chunk
print(answer.split(b"\\r\\n\\r\\n")[1].decode())
`;

interface World {
  readonly folder: Folder;
  readonly program: Program;
  readonly port: number;
  readonly one: Awaited<ReturnType<typeof startOpensslHttps>>;
  readonly two: Awaited<ReturnType<typeof startPythonHttps>>;
  readonly sshd: Awaited<ReturnType<typeof startSshd>>;
}

/** One step for each kind of client, all through one listener of one running program. */
const CLIENTS: Record<string, (world: World) => Promise<void>> = {
  async "HTTPS goes by SNI to the server whose certificate the client asked for"({ port, one, two }) {
    for (const { name, cert } of [one, two]) {
      const at = ["--cacert", cert, "--connect-to", `::127.0.0.1:${port}`];
      const { stdout } = await succeed("curl", ["-sS", ...at, `https://${name}/`]);
      ok(stdout.includes(name === one.name ? "Ciphers supported" : `I am ${name}`), stdout);
    }
    const { code, stderr } = await run("curl", [
      "-sS",
      ...["--cacert", one.cert, "--connect-to", `::127.0.0.1:${port}`, `https://${two.name}/`],
    ]);
    equal(code, 60, stderr);
  },

  async "openssl sees each name's own certificate, and an alert for a name without a route"(
    { port, one, two },
  ) {
    for (const { name } of [one, two]) {
      const { stdout } = await succeed(
        "openssl",
        ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", name],
        { stdin: "" },
      );
      ok(stdout.includes(`subject=CN = ${name}`) || stdout.includes(`subject=CN=${name}`), stdout);
    }
    const other = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "other.test"];
    const { stderr } = await run("openssl", other, { stdin: "" });
    ok(/unrecognized name/.test(stderr), stderr);
  },

  async "python's ssl verifies the name it asked for, through a socket that it opened itself"({ port, two }) {
    const { stdout } = await succeed("python3", ["-c", PYTHON_CLIENT, String(port), two.name, two.cert]);
    equal(stdout, `I am ${two.name}\n`);
  },

  async "ssh logs in, and carries megabytes each way without a wrong byte"({ port, sshd, folder }) {
    const at = [...sshd.args, "-p", String(port), "127.0.0.1"];
    equal((await succeed("ssh", [...at, "echo", "hello"])).stdout, "hello\n");
    const bytes = pattern(MEGABYTES << 20), there = `${folder.path}/there`;
    await succeed("ssh", [...at, `cat > ${there}`], { stdin: bytes });
    equal(await Deno.readFile(there), bytes);
    equal((await succeed("ssh", [...at, `cat ${there}`])).bytes, bytes);
  },

  async "sftp copies a file there and back"({ port, sshd, folder }) {
    const from = await folder.write("from", pattern(MEGABYTES << 20, 7));
    const batch = await folder.write(
      "batch",
      `put ${from} ${folder.path}/put\nget ${from} ${folder.path}/got\n`,
    );
    await succeed("sftp", ["-q", ...sshd.args, "-P", String(port), "-b", batch, "127.0.0.1"]);
    const bytes = await Deno.readFile(from);
    equal(await Deno.readFile(`${folder.path}/put`), bytes);
    equal(await Deno.readFile(`${folder.path}/got`), bytes);
  },

  async "MQTT 3.1.1 and 5 publish and subscribe"({ port }) {
    for (const version of ["mqttv311", "mqttv5"]) {
      const at = ["-h", "127.0.0.1", "-p", String(port), "-V", version, "-t", `test/${version}`, "-q", "1"];
      // Retained, so that the subscriber gets it whenever it comes.
      await succeed("mosquitto_pub", [...at, "-r", "-m", `hello ${version}`]);
      const { stdout } = await succeed("mosquitto_sub", [...at, "-C", "1", "-W", "20"]);
      equal(stdout, `hello ${version}\n`);
    }
  },

  async "SOCKS clients of every version go where they ask"({ port, two }) {
    for (
      const [version, host] of [["socks4", "127.0.0.1"], ["socks4a", "localhost"], ["socks5", "127.0.0.1"]]
    ) {
      const at = ["-x", `${version}://127.0.0.1:${port}`, "-k"];
      const { stdout } = await succeed("curl", ["-sS", ...at, `https://${host}:${two.port}/`]);
      equal(stdout, `I am ${two.name}`);
    }
  },

  async "plain HTTP goes to its own upstream"({ port }) {
    equal((await succeed("curl", ["-sS", `http://127.0.0.1:${port}/`])).stdout, "plain");
  },
};

Deno.test({
  name: "one port serves HTTPS by SNI, SSH, MQTT, HTTP and SOCKS",
  ignore: !need("curl", "openssl", "python3", "ssh", "ssh-keygen", "sshd", "mosquitto", "mosquitto_pub"),
  async fn(test) {
    await using folder = await Folder.make();
    await using one = await startOpensslHttps(folder, "one.test");
    await using two = await startPythonHttps(folder, "two.test");
    await using sshd = await startSshd(folder);
    await using mosquitto = await startMosquitto(folder);
    await using web = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      () => new Response("plain"),
    );
    await using program = await Program.start(`
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, ssh, mqtt, http, socks] }
routes:
  - { host: one.test, to: "127.0.0.1:${one.port}" }
  - { host: two.test, protocol: tls, listener: edge, to: "127.0.0.1:${two.port}", sources: ["127.0.0.0/8"] }
  - { protocol: ssh, to: "127.0.0.1:${sshd.port}" }
  - { protocol: mqtt, to: "127.0.0.1:${mosquitto.port}" }
  - { protocol: http, to: "127.0.0.1:${web.addr.port}" }
admin: { address: "127.0.0.1:0" }
`);
    const world = { folder, program, port: program.port("edge"), one, two, sshd };
    for (const [name, act] of Object.entries(CLIENTS)) await test.step(name, () => act(world));
    await test.step("and then all of them at once", async () => {
      await Promise.all(
        Object.values(CLIENTS).map(async (act, i) => {
          await using own = await Folder.make();
          await act({ ...world, folder: i < 2 ? folder : own });
        }),
      );
    });
    await test.step("the journal knows each as what it was", () => {
      const spoken = new Set(program.records.map(({ protocol }) => protocol));
      equal([...spoken].sort(), ["http", "mqtt", "socks", "ssh", "tls"]);
      // Who closes before it has read the other's close_notify resets, and the gate passes that on.
      const odd = program.records.filter(({ outcome }) => outcome !== "ok" && outcome !== "reset");
      equal(
        odd.map(({ outcome, serverName }) => `${outcome} ${serverName}`),
        Array(2).fill("no-route other.test"),
      );
    });
    equal(await program.stop(), 0);
  },
});
