/** PROXY protocol with HAProxy on either side: v1 and v2, accepted from trusted networks only, and emitted. */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder } from "../support/child.ts";
import { connect, listen, type TestServer } from "../support/net.ts";
import { Program } from "../support/program.ts";

/** HAProxy from `listen` to one server; `bind` and `server` are what stands behind their addresses. */
async function haproxy(folder: Folder, to: number, { bind = "", server = "" }) {
  const port = freePort();
  const file = await folder.write(
    `haproxy-${port}.cfg`,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen all
  bind 127.0.0.1:${port} ${bind}
  server one 127.0.0.1:${to} ${server}
`,
  );
  const child = new Child("haproxy", ["-W", "-db", "-f", file]);
  await child.line(/Loading success/);
  return { port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** Answers with what it got, once it got `size` bytes or so; HAProxy strips nothing on its way here. */
const listenParrot = (): Promise<TestServer> =>
  listen((socket) => {
    const chunks: Uint8Array[] = [];
    socket.on("data", (bytes) => chunks.push(bytes));
    socket.on("end", () => chunks.forEach((bytes) => socket.write(bytes)));
    socket.on("end", () => socket.end());
  });

async function say(port: number, bytes: string | Uint8Array): Promise<string> {
  await using client = await connect(port);
  await client.write(bytes);
  client.end();
  return await client.text();
}

const has = need("haproxy");

for (const version of ["send-proxy", "send-proxy-v2"]) {
  Deno.test({
    name:
      `HAProxy's ${version} in front: the client's own address is what routes, limits and the journal see`,
    ignore: !has,
    async fn() {
      await using folder = await Folder.make();
      await using server = await listenParrot();
      await using program = await Program.start(`
listeners:
  trusting: { address: "127.0.0.1:0", protocols: [ssh, http], proxyProtocol: ["127.0.0.0/8"] }
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${server.port}", proxyProtocol: ["127.0.0.1"] }
  wary: { address: "127.0.0.1:0", protocols: [ssh, http], proxyProtocol: ["10.0.0.0/8"], fallback: "127.0.0.1:${server.port}" }
routes:
  - { protocol: ssh, to: "127.0.0.1:${server.port}", sources: ["127.0.0.0/8"] }
  - { protocol: http, to: "127.0.0.1:${server.port}", sources: ["192.0.2.0/24"] }
admin: { address: "off" }
`);
      for (const name of ["trusting", "forward"]) {
        await using front = await haproxy(folder, program.port(name), { server: version });
        await using client = await connect(front.port);
        const own = client.socket.localPort;
        await client.write("SSH-2.0-x\r\n");
        client.end();
        equal(await client.text(), "SSH-2.0-x\r\n");
        const { peer } = await program.record();
        equal(peer, `127.0.0.1:${own}`);
      }
      await using front = await haproxy(folder, program.port("trusting"), { server: version });
      await say(front.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").catch(() => "");
      equal((await program.record()).outcome, "denied");
      await using untrusted = await haproxy(folder, program.port("wary"), { server: version });
      await say(untrusted.port, "SSH-2.0-x\r\n").catch(() => "");
      equal((await program.record()).outcome, "denied");
      equal(server.sockets.length, 2);
      equal(await program.stop(), 0);
    },
  });
}

Deno.test("who is trusted has to send a PROXY header, and who is not is heard without one", async () => {
  await using server = await listenParrot();
  await using program = await Program.start(`
listeners:
  trusting: { address: "127.0.0.1:0", protocols: [ssh], proxyProtocol: ["127.0.0.0/8"], sniffTimeout: 500ms }
  wary: { address: "127.0.0.1:0", protocols: [ssh], proxyProtocol: ["10.0.0.0/8"] }
  proxy: { address: "127.0.0.1:0", protocols: [socks], proxyProtocol: ["127.0.0.0/8"] }
routes:
  - { protocol: ssh, to: "127.0.0.1:${server.port}" }
policy:
  - { allow: { sources: "192.0.2.7", addresses: "127.0.0.0/8", ports: ${server.port} } }
  - { deny: { sources: "192.0.2.66" } }
admin: { address: "off" }
`);
  const v1 = (source: string) => `PROXY TCP4 ${source} 192.0.2.1 1234 443\r\n`;
  equal(await say(program.port("trusting"), `${v1("192.0.2.7")}SSH-2.0-x\r\n`), "SSH-2.0-x\r\n");
  equal((await program.record()).peer, "192.0.2.7:1234");
  equal(await say(program.port("wary"), "SSH-2.0-x\r\n"), "SSH-2.0-x\r\n");
  equal((await program.record()).outcome, "ok");
  await say(program.port("trusting"), "SSH-2.0-x\r\n").catch(() => "");
  equal((await program.record()).outcome, "malformed");
  await say(program.port("trusting"), `${v1("192.0.2.66")}SSH-2.0-x\r\n`).catch(() => "");
  equal((await program.record()).outcome, "denied");

  // The header's source is judged by policy: loopback's trust is not for who stands behind it.
  const socks = Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, server.port >> 8, server.port & 255);
  for (const [source, code] of [["192.0.2.7", 0], ["192.0.2.8", 2]] as const) {
    await using client = await connect(program.port("proxy"));
    await client.write(v1(source));
    await client.write(socks);
    equal([...(await client.read(4)).subarray(2)], [5, code]);
  }
  equal(await program.stop(), 0);
});

for (const version of ["v1", "v2"]) {
  Deno.test({
    name: `PROXY ${version} to HAProxy's accept-proxy: it sees the client's own address and passes it on`,
    ignore: !has,
    async fn() {
      await using folder = await Folder.make();
      await using server = await listenParrot();
      // What HAProxy learnt it writes anew as v1, which the server sees.
      await using behind = await haproxy(folder, server.port, { bind: "accept-proxy", server: "send-proxy" });
      await using program = await Program.start(`
listeners:
  edge: { address: ["127.0.0.1:0", "[::1]:0"], protocols: [ssh, socks] }
  forward: { address: "127.0.0.1:0", protocols: [tcp] }
routes:
  - { protocol: ssh, to: "127.0.0.1:${behind.port}", proxyProtocol: ${version} }
  - { listener: forward, to: "127.0.0.1:${behind.port}", proxyProtocol: ${version} }
admin: { address: "off" }
`);
      const ways = [["127.0.0.1", "TCP4", program.port("edge")], [
        "::1",
        "TCP6",
        program.port("edge", 1),
      ]] as const;
      for (const [host, family, port] of [...ways, ["127.0.0.1", "TCP4", program.port("forward")] as const]) {
        await using client = await connect(port, host);
        const own = client.socket.localPort;
        await client.write("SSH-2.0-x\r\n");
        client.end();
        equal(await client.text(), `PROXY ${family} ${host} ${host} ${own} ${port}\r\nSSH-2.0-x\r\n`);
      }
      equal(await program.stop(), 0);
    },
  });
}

Deno.test("what comes in one packet with a PROXY header is told apart at once", async () => {
  await using server = await listenParrot();
  await using program = await Program.start(`
listeners:
  edge: { address: "127.0.0.1:0", protocols: [ssh, tls, http], proxyProtocol: ["127.0.0.0/8"], sniffTimeout: 5s }
routes:
  - { protocol: ssh, to: "127.0.0.1:${server.port}" }
  - { host: a.test, to: "127.0.0.1:${server.port}" }
  - { protocol: http, to: "127.0.0.1:${server.port}" }
admin: { address: "off" }
`);
  const text = "PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\nSSH-2.0-x\r\nhello";
  // Cut at every place: what was read ahead with the header is in nobody's way.
  for (let cut = 1; cut <= text.length; cut += 3) {
    const began = performance.now();
    await using client = await connect(program.port("edge"));
    await client.write(text.slice(0, cut));
    if (cut < text.length) await client.write(text.slice(cut));
    client.end();
    equal(await client.text(), "SSH-2.0-x\r\nhello");
    ok(performance.now() - began < 2000, `cut at ${cut}: it waited for the sniff time`);
  }
  equal(await program.stop(), 0);
});
