/** Where connections come in: both families, several addresses, unix sockets, several engines; and where they go. */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { connect, connectUnix, listen, listenEcho, socks, type TestServer } from "../support/net.ts";
import { Program } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";

const echoed = async (client: Awaited<ReturnType<typeof connect>>, text: string): Promise<void> => {
  await using mine = client;
  await mine.write(text);
  mine.end();
  equal(await mine.text(), text);
};

Deno.test("a listener on every address takes IPv4 and IPv6, and tells each by its own address", async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners:
  both: { address: ":0", to: "127.0.0.1:${echo.port}" }
  four: { address: "0.0.0.0:0", to: "127.0.0.1:${echo.port}" }
  six: { address: "[::]:0", to: "127.0.0.1:${echo.port}" }
  several: { address: ["127.0.0.1:0", "[::1]:0", "127.0.0.2:0"], to: "localhost:${echo.port}" }
admin: { address: "off" }
`);
  const ways: [listener: string, index: number, hosts: string[]][] = [
    ["both", 0, ["127.0.0.1", "::1", "127.0.0.3"]],
    ["four", 0, ["127.0.0.1", "127.0.0.3"]],
    ["six", 0, ["::1"]],
    ["several", 0, ["127.0.0.1"]],
    ["several", 1, ["::1"]],
    ["several", 2, ["127.0.0.2"]],
  ];
  for (const [listener, index, hosts] of ways) {
    for (const host of hosts) {
      await echoed(await connect(program.port(listener, index), host), `${listener} ${host}`);
      const { peer } = await program.record();
      ok(peer.startsWith(host.includes(":") ? "[::1]:" : "127.0.0.1:"), peer);
    }
  }
  await connect(program.port("six"), "127.0.0.1").then(
    () => ok(false, "[::]:0 took IPv4"),
    (refused) => equal(refused.code, "ECONNREFUSED"),
  );
  equal(await program.stop(), 0);
});

Deno.test("two engine threads share the connections of one listener", async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }
engine: { threads: 2 }
admin: { address: "127.0.0.1:0" }
`);
  const port = program.port("edge"), times = 400;
  await Promise.all(
    Array.from({ length: times }, async (_, i) => await echoed(await connect(port), `hello ${i}`)),
  );
  const records = await program.child.until(() =>
    program.records.length === times ? program.records : undefined
  );
  ok(records.every(({ outcome }) => outcome === "ok"));
  // Each engine numbers its own: odd and even.
  const shares = [0, 1].map((engine) => records.filter(({ id }) => id % 2 === engine).length);
  ok(Math.min(...shares) > 0, `one engine served nobody: ${shares}`);
  equal((await (await program.admin("/status")).json()).connections, 0);
  equal(await program.stop(), 0);
});

Deno.test({
  name: "unix sockets, by path and abstract: as listeners, as targets, and socat through them",
  ignore: !need("socat"),
  async fn() {
    await using folder = await Folder.make();
    const name = `ugate-test-${crypto.randomUUID()}`, path = `${folder.path}/gate.sock`;
    await using byPath = await listen((socket) => socket.pipe(socket), `${folder.path}/echo.sock`);
    await using program = await Program.start(`
listeners:
  path: { address: "unix:${path}", to: "unix:${folder.path}/echo.sock" }
  abstract: { address: "unix:@${name}", to: "unix:${path}" }
  proxy: { address: "unix:${folder.path}/proxy.sock", protocols: [socks] }
  tcp: { address: "127.0.0.1:0", to: "unix:@${name}" }
admin: { address: "off" }
`);
    const stdin = "through three gates";
    await echoed(await connectUnix(path), "by path");
    const ways = [`UNIX-CONNECT:${path}`, `ABSTRACT-CONNECT:${name}`, `TCP:127.0.0.1:${program.port("tcp")}`];
    for (const way of ways) equal((await succeed("socat", ["-t", "10", "-", way], { stdin })).stdout, stdin);
    await using tcp = await listenEcho();
    const client = await connectUnix(`${folder.path}/proxy.sock`);
    await socks(client, "127.0.0.1", tcp.port);
    await echoed(client, "socks on a unix socket");
    equal((await program.record(({ listener }) => listener === "proxy")).peer, "unix");
    ok(byPath.sockets.length >= 4);
    equal(await program.stop(), 0);
  },
});

Deno.test({
  name: "ssh comes through the gate by nc as ProxyCommand, and socat as a SOCKS4A client",
  ignore: !need("ssh", "ssh-keygen", "sshd", "nc", "socat"),
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    await using echo = await listenEcho();
    await using program = await Program.start(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks, connect, tls] } }
admin: { address: "off" }
`);
    const port = program.port("local");
    for (const version of ["4", "5", "connect"]) {
      const proxy = ["-o", `ProxyCommand=nc -X ${version} -x 127.0.0.1:${port} %h %p`];
      const { code, stdout, stderr } = await run("ssh", [
        ...sshd.args,
        ...[...proxy, "-p", String(sshd.port), "127.0.0.1", "echo", version],
      ]);
      equal([code, stdout], [0, `${version}\n`], stderr);
    }
    const way = `SOCKS4A:127.0.0.1:localhost:${echo.port},socksport=${port}`;
    equal((await succeed("socat", ["-t", "10", "-", way], { stdin: "hello" })).stdout, "hello");
    equal(await program.stop(), 0);
  },
});

/** A server that says its name and stays. */
const listenNamed = (name: string): Promise<TestServer> => listen((socket) => socket.write(name));

Deno.test("connections go to the least loaded endpoint by weight, never to a dead one", async () => {
  await using one = await listenNamed("1");
  await using three = await listenNamed("3");
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tcp] } }
routes:
  - listener: edge
    to: [{ to: "127.0.0.1:${one.port}", weight: 1 }, { to: "127.0.0.1:${three.port}", weight: 3 }, "127.0.0.1:${freePort()}"]
admin: { address: "off" }
`);
  await using clients = new AsyncDisposableStack();
  const names: string[] = [];
  for (let i = 0; i < 40; i++) {
    const client = clients.use(await connect(program.port("edge")));
    names.push(new TextDecoder().decode(await client.read(1)));
  }
  const ones = names.filter((name) => name === "1").length;
  ok(ones >= 9 && ones <= 11, `expected about 10 of 40 at weight 1 of 4, got ${ones}`);
});

Deno.test("when an endpoint dies the next one is dialed, and when all are dead the client's connection ends without a byte", async () => {
  const dying = await listenNamed("a");
  await using other = await listenNamed("b");
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tcp] } }
routes:
  - { listener: edge, to: ["127.0.0.1:${dying.port}", "127.0.0.1:${other.port}"] }
admin: { address: "off" }
`);
  const name = async () => {
    await using client = await connect(program.port("edge"));
    return new TextDecoder().decode(await client.read(1));
  };
  const before = await Promise.all(Array.from({ length: 10 }, name));
  equal([...new Set(before)].sort(), ["a", "b"]);
  await dying[Symbol.asyncDispose]();
  const after = await Promise.all(Array.from({ length: 10 }, name));
  equal([...new Set(after)], ["b"]);
  await other[Symbol.asyncDispose]();
  await connect(program.port("edge")).then(async (client) => {
    await using mine = client;
    await mine.readAll().then(
      (bytes) => equal(bytes.length, 0),
      (thrown) => equal(thrown.code, "ECONNRESET"),
    );
  });
  equal(
    (await program.record(({ outcome }) => outcome !== "ok" && outcome !== "closed" && outcome !== "reset"))
      .outcome,
    "refused",
  );
});
