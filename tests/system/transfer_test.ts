/** Bytes arrive whole, each way, whatever the pace: and what ends or breaks on one side does so on the other. */
import { createHash } from "node:crypto";
import net from "node:net";
import { need } from "../../scripts/clients.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { Folder, run, succeed } from "../support/child.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { Program } from "../support/program.ts";
import { certificate, startSshd } from "../support/servers.ts";

const MEGABYTES = 200, CHUNK = 1 << 20, SIZE = MEGABYTES * CHUNK;
/** ms between the bytes of a slow client. */
const SLOW = 100;

/** Bytes that nobody compresses or mixes up: every megabyte is another one. */
function* megabytes(): Generator<Uint8Array> {
  const bytes = pattern(CHUNK), view = new DataView(bytes.buffer);
  for (let i = 0; i < MEGABYTES; i++) {
    view.setUint32(0, i);
    yield bytes.slice();
  }
}

function digestOfAll(): string {
  const hash = createHash("sha256");
  for (const bytes of megabytes()) hash.update(bytes);
  return hash.digest("hex");
}

/** The digest of so many bytes as all the megabytes have. */
function digestOf(socket: net.Socket): Promise<string> {
  const hash = createHash("sha256");
  let left = SIZE;
  return new Promise((done, failed) => {
    socket.on("data", (bytes) => {
      hash.update(bytes);
      if ((left -= bytes.length) === 0) done(hash.digest("hex"));
    });
    socket.once("error", failed);
  });
}

async function sendAll(socket: net.Socket): Promise<void> {
  for (const bytes of megabytes()) {
    if (!socket.write(bytes)) await new Promise((drained) => socket.once("drain", drained));
  }
}

/** Takes everything, tells the digest, sends everything, and ends. */
function sink(socket: net.Socket): void {
  void digestOf(socket).then(async (digest) => {
    socket.write(digest);
    await sendAll(socket);
    socket.end();
  }, () => socket.destroy());
}

async function digestOfStream(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of stream) hash.update(bytes);
  return hash.digest("hex");
}

async function both(socket: net.Socket): Promise<void> {
  const expected = digestOfAll();
  const hash = createHash("sha256");
  let told = "";
  const ended = new Promise<void>((done, failed) => {
    socket.on("data", (bytes) => {
      const head = bytes.subarray(0, Math.max(0, expected.length - told.length));
      told += head.toString();
      hash.update(bytes.subarray(head.length));
    });
    socket.once("end", done);
    socket.once("error", failed);
  });
  await sendAll(socket);
  await ended;
  equal(told, expected, "what the server got");
  equal(hash.digest("hex"), expected, "what the client got");
  const closed = new Promise((done) => socket.once("close", done));
  socket.destroy();
  await closed;
}

async function withGate(yaml: string, act: (program: Program) => Promise<void>): Promise<void> {
  await using program = await Program.start(`${yaml}\nadmin: { address: "off" }\n`);
  await act(program);
  equal(await program.stop(), 0);
}

const forward = (port: number) => `
listeners:
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${port}" }
  local: { address: "127.0.0.1:0", protocols: [socks, connect] }`;

Deno.test(`${MEGABYTES} MB each way through a forward and through SOCKS are the same bytes`, async () => {
  await using server = await listen(sink);
  await withGate(forward(server.port), async (program) => {
    const plain = await connect(program.port("forward"));
    plain.socket.removeAllListeners("data");
    await both(plain.socket);
    const proxied = await connect(program.port("local"));
    await socks(proxied, "127.0.0.1", server.port);
    proxied.socket.removeAllListeners("data");
    await both(proxied.socket);
    for (const _ of [1, 2]) {
      const { up, down, outcome } = await program.record();
      equal([up, down, outcome], [SIZE, SIZE + 64, "ok"]);
    }
  });
});

Deno.test({
  name: `${MEGABYTES} MB each way inside TLS that is routed by SNI are the same bytes`,
  ignore: !need("openssl", "curl"),
  async fn() {
    await using folder = await Folder.make();
    const { cert, key } = await certificate(folder, "big.test");
    const path = `${folder.path}/big`;
    const big = await Deno.open(path, { create: true, write: true });
    for (const bytes of megabytes()) await big.write(bytes);
    big.close();
    const got: string[] = [];
    await using server = Deno.serve({
      ...{ port: 0, hostname: "127.0.0.1", onListen() {} },
      cert: await Deno.readTextFile(cert),
      key: await Deno.readTextFile(key),
    }, async (request) => {
      got.push(await digestOfStream(request.body!));
      return new Response((await Deno.open(path)).readable);
    });
    const yaml = `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh] } }
routes:
  - { host: big.test, to: "127.0.0.1:${server.addr.port}" }
  - { protocol: ssh, to: "127.0.0.1:1" }`;
    await withGate(yaml, async (program) => {
      const at = ["--cacert", cert, "--connect-to", `::127.0.0.1:${program.port("edge")}`];
      const back = `${folder.path}/back`;
      await succeed("curl", ["-sS", ...at, "-T", path, "-o", back, "https://big.test/"]);
      equal(got, [digestOfAll()], "what the server got");
      equal(await digestOfStream((await Deno.open(back)).readable), digestOfAll(), "what the client got");
    });
  },
});

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
  await withGate(forward(counting.port), async (program) => {
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
    await withGate(forward(server.port), async (program) => {
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
  await withGate(yaml, async (program) => {
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
  await withGate(yaml, async (program) => {
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
    await withGate(yaml, async (program) => {
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
  await withGate(forward(server.port), async (program) => {
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
