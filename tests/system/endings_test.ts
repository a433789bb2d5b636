/** What ends, breaks or dawdles on one side does so on the other; and servers that speak first. */
import type net from "node:net";
import { need } from "../../scripts/clients.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { Folder, run } from "../support/child.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { type Program, withProgram } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";

/** ms between the bytes of a slow client. */
const SLOW = 100;

const forward = (port: number) => `
listeners:
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${port}" }
  local: { address: "127.0.0.1:0", protocols: [socks, connect] }`;

Deno.test("half-close passes each way: who has ended still gets the answer", async () => {
  await using counting = await listen((socket) => {
    let size = 0;
    socket.on("data", (bytes) => size += bytes.length);
    socket.on("end", () => socket.end(`got ${size}`));
  });
  await using talking = await listen((socket) => {
    socket.end("goodbye"); // ends first and goes on reading
    let text = "";
    socket.on("data", (bytes) => text += bytes);
    socket.on("end", () => heard(text));
  });
  let heard: (text: string) => void = () => {};
  const hearing = new Promise<string>((resolve) => heard = resolve);
  await withProgram(forward(counting.port), async (program) => {
    for (const client of await connections(program, counting.port)) {
      await using mine = client;
      await mine.write(pattern(300_000));
      mine.end();
      equal(await mine.text(), "got 300000");
    }
    await using client = await connect(program.port("local"));
    await socks(client, "127.0.0.1", talking.port);
    equal(await client.text(), "goodbye");
    await client.write("and you");
    client.end();
    equal(await hearing, "and you");
  });
});

Deno.test({
  name: "half-close by the programs people have: socat and nc -N",
  ignore: !need("socat", "nc"),
  async fn() {
    await using server = await listen((socket) => {
      let size = 0;
      socket.on("data", (bytes) => size += bytes.length);
      socket.on("end", () => socket.end(`got ${size}`));
    });
    await withProgram(forward(server.port), async (program) => {
      const stdin = pattern(1 << 20), port = program.port("forward");
      const expected = `got ${1 << 20}`;
      equal((await run("nc", ["-N", "127.0.0.1", String(port)], { stdin })).stdout, expected);
      equal((await run("socat", ["-t", "20", "-", `TCP:127.0.0.1:${port}`], { stdin })).stdout, expected);
    });
  },
});

Deno.test("a client that sends one byte at a time is told apart, and served for as long as it keeps on", async () => {
  await using server = await listenEcho();
  const yaml = `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh, http, socks], sniffTimeout: 2s } }
routes: [{ protocol: ssh, to: "127.0.0.1:${server.port}" }]`;
  await withProgram(yaml, async (program) => {
    await using client = await connect(program.port("edge"));
    const text = "SSH-2.0-slow_client\r\nhello";
    for (const sign of text) {
      await client.write(sign);
      await new Promise((resolve) => setTimeout(resolve, SLOW));
    }
    equal(new TextDecoder().decode(await client.read(text.length)), text);
  });
});

Deno.test("a server that speaks first is the fallback of a silent client", async () => {
  await using smtp = await listen((socket) => {
    socket.write("220 mail.test ESMTP\r\n");
    socket.once("data", (bytes) => socket.end(`221 after ${String(bytes).trim()}\r\n`));
  });
  const yaml = `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls, http], fallback: "127.0.0.1:${smtp.port}", sniffTimeout: 300ms }
routes: [{ host: a.test, to: "127.0.0.1:1" }, { protocol: http, to: "127.0.0.1:1" }]`;
  await withProgram(yaml, async (program) => {
    const began = performance.now();
    await using client = await connect(program.port("edge"));
    equal(new TextDecoder().decode(await client.read(21)), "220 mail.test ESMTP\r\n");
    ok(performance.now() - began >= 290, "the sniff time was not over");
    await client.write("QUIT\r\n");
    equal(await client.text(), "221 after QUIT\r\n");
    await using early = await connect(program.port("edge"));
    await early.write("EHLO me\r\n"); // unknown bytes do not wait
    equal((await early.text()).split("\r\n"), ["220 mail.test ESMTP", "221 after EHLO me", ""]);
  });
});

Deno.test({
  name: "ssh, whose server may speak first, logs in where sshd is only the fallback",
  ignore: !need("ssh", "ssh-keygen", "sshd"),
  async fn() {
    await using folder = await Folder.make();
    await using sshd = await startSshd(folder);
    const yaml = `
listeners:
  edge: { address: "127.0.0.1:0", protocols: [tls], fallback: "127.0.0.1:${sshd.port}", sniffTimeout: 300ms }
routes: [{ host: a.test, to: "127.0.0.1:1" }]`;
    await withProgram(yaml, async (program) => {
      const { code, stderr } = await run("ssh", [
        ...sshd.args,
        ...["-p", String(program.port("edge")), "127.0.0.1", "true"],
      ]);
      equal(code, 0, stderr);
    });
  },
});

Deno.test("a reset arrives as a reset, from either side, before and after bytes", async () => {
  const arrived: net.Socket[] = [];
  await using server = await listen((socket) => {
    arrived.push(socket);
    socket.on("data", (bytes) => {
      if (String(bytes) === "reset me") socket.resetAndDestroy();
      else socket.write(bytes);
    });
  });
  await withProgram(forward(server.port), async (program) => {
    for (const client of await connections(program, server.port)) {
      await using mine = client;
      await mine.write("hello");
      await mine.read(5);
      await mine.write("reset me");
      await rejects(mine.readAll(), /ECONNRESET/);
      const { outcome, side } = await program.record();
      equal([outcome, side], ["reset", "upstream"]);
    }
    for (const [i, client] of (await connections(program, server.port)).entries()) {
      await using mine = client;
      await mine.write("hello");
      await mine.read(5);
      const broken = new Promise((resolve) => arrived.slice(-2)[i].once("error", resolve));
      mine.reset();
      ok(/ECONNRESET/.test(String(await broken)));
      const { outcome, side } = await program.record();
      equal([outcome, side], ["reset", "client"]);
    }
  });
});

/** A client for each way in: the forward, and SOCKS. One after the other, for the server's order to be theirs. */
async function connections(program: Program, port: number): Promise<Client[]> {
  const plain = await connect(program.port("forward"));
  const proxied = await connect(program.port("local"));
  await socks(proxied, "127.0.0.1", port);
  return [plain, proxied];
}

Deno.test({
  name: "TCP urgent data costs no byte around it, in small amounts and in bulk",
  ignore: !need("python3"),
  async fn() {
    const script = `
import socket, sys, time
for size in (3, 3000000):
    c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    c.sendall(b"a" * size); c.send(b"!", socket.MSG_OOB); c.sendall(b"b" * size)
    c.shutdown(socket.SHUT_WR)
    print(c.recv(100).decode())
`;
    await using server = await listen((socket) => {
      let size = 0; // the urgent byte itself is out of band: node does not see it
      socket.on("data", (bytes) => size += bytes.length);
      socket.on("end", () => socket.end(String(size)));
    });
    await withProgram(forward(server.port), async (program) => {
      const { stdout } = await run("python3", ["-c", script, String(program.port("forward"))]);
      equal(stdout.trim().split("\n"), ["6", "6000000"]);
    });
  },
});
