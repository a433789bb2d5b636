/** Hundreds of megabytes arrive as the same bytes, each way, through everything that splices. */
import { createHash } from "node:crypto";
import type net from "node:net";
import { need } from "../../scripts/clients.ts";
import { equal } from "../support/assert.ts";
import { Folder, succeed } from "../support/child.ts";
import { connect, listen, pattern, socks } from "../support/net.ts";
import { withProgram } from "../support/program.ts";
import { certificate } from "../support/servers.ts";

const MEGABYTES = 200, CHUNK = 1 << 20, SIZE = MEGABYTES * CHUNK;

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

const forward = (port: number) => `
listeners:
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${port}" }
  local: { address: "127.0.0.1:0", protocols: [socks, connect] }`;

Deno.test(`${MEGABYTES} MB each way through a forward and through SOCKS are the same bytes`, async () => {
  await using server = await listen(sink);
  await withProgram(forward(server.port), async (program) => {
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
    await withProgram(yaml, async (program) => {
      const at = ["--cacert", cert, "--connect-to", `::127.0.0.1:${program.port("edge")}`];
      const back = `${folder.path}/back`;
      await succeed("curl", ["-sS", ...at, "-T", path, "-o", back, "https://big.test/"]);
      equal(got, [digestOfAll()], "what the server got");
      equal(await digestOfStream((await Deno.open(back)).readable), digestOfAll(), "what the client got");
    });
  },
});
