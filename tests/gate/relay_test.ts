import type net from "node:net";
import { equal, ok } from "../support/assert.ts";
import { startGate } from "../support/gate.ts";
import { connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";

openssl(); // stays loaded

const pause = (ms: number): Promise<false> => new Promise((done) => setTimeout(() => done(false), ms));

const LIMITS = `limits: { sniffTimeout: 1s }`;

Deno.test("bytes come back as they went, small and large, through a plain forward", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }
admin: { address: "off" }`);
  for (const size of [1, 1000, 65536, 65537, 3_000_000]) {
    await using client = await connect(gate.port("fwd"));
    const sent = pattern(size, size);
    const [got] = await Promise.all([client.read(size), client.write(sent)]);
    ok(Buffer.compare(got, sent) === 0, `${size} bytes differ`);
    client.end();
    equal((await client.readAll()).length, 0);
    const record = await gate.record();
    equal([record.outcome, record.up, record.down], ["ok", size, size]);
  }
});

Deno.test("half-close goes both ways: who ended still receives", async () => {
  await using server = await listen((socket) => {
    let size = 0;
    socket.on("data", (bytes) => size += bytes.length);
    socket.on("end", () => {
      socket.write(`got ${size}`);
      setTimeout(() => socket.end(", bye"), 30);
    });
  });
  await using gate = await startGate(`
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
admin: { address: "off" }`);
  await using client = await connect(gate.port("local"));
  await socks(client, "127.0.0.1", server.port);
  await client.write(pattern(100_000));
  client.end();
  equal(await client.text(), "got 100000, bye");
});

Deno.test("a server that ends first still receives", async () => {
  let received = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  await using server = await listen((socket) => {
    socket.end("hello");
    socket.on("data", (bytes) => received += bytes);
    socket.on("end", resolve);
  });
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${server.port}" } }
admin: { address: "off" }`);
  await using client = await connect(gate.port("fwd"));
  equal(await client.text(), "hello");
  await client.write("late");
  client.end();
  await promise;
  equal(received, "late");
});

Deno.test("a reset arrives as a reset on the other side, and the journal says whose", async () => {
  const seen: string[] = [];
  const closed = Promise.withResolvers<void>();
  await using server = await listen((socket) => {
    socket.on("error", (error: Error & { code?: string }) => seen.push(error.code ?? ""));
    socket.on("close", () => closed.resolve());
    socket.once("data", (bytes) => {
      if (String(bytes) === "reset me") socket.resetAndDestroy();
    });
  });
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${server.port}" } }
admin: { address: "off" }`);
  {
    await using client = await connect(gate.port("fwd"));
    await client.write("reset me");
    const code = await client.readAll().then(() => "end", (error) => error.code);
    equal(code, "ECONNRESET");
    const record = await gate.record();
    equal([record.outcome, record.side], ["reset", "upstream"]);
  }
  await using client = await connect(gate.port("fwd"));
  await client.write("abc");
  await new Promise((done) => setTimeout(done, 50));
  client.reset();
  const record = await gate.record();
  equal([record.outcome, record.side], ["reset", "client"]);
  await closed.promise;
});

Deno.test("a reader that stops stops the writer, and gets everything when it goes on", async () => {
  const accepted = Promise.withResolvers<net.Socket>();
  await using server = await listen((socket) => {
    socket.pause();
    accepted.resolve(socket);
  });
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${server.port}" } }
admin: { address: "off" }`);
  await using client = await connect(gate.port("fwd"));
  const chunk = pattern(1 << 20);
  let written = 0;
  while (written < 100 && await Promise.race([client.write(chunk).then(() => true), pause(500)])) written++;
  ok(written < 100, "the writer was never stopped");
  const socket = await accepted.promise;
  let received = 0;
  const all = new Promise<void>((done) => {
    socket.on("data", (bytes) => {
      received += bytes.length;
      if (received === (written + 1) * chunk.length) done();
    });
  });
  socket.resume();
  await all;
});

Deno.test("a silent client goes to the fallback when the sniff time is over, and the server speaks first", async () => {
  await using server = await listen((socket) => socket.end("220 hello\r\n"));
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, ssh], fallback: "127.0.0.1:${server.port}", sniffTimeout: 300ms } }
admin: { address: "off" }`);
  await using client = await connect(gate.port("edge"));
  equal(await client.text(), "220 hello\r\n");
  client.end();
  equal((await gate.record()).protocol, "unknown");
});

Deno.test("unknown bytes without a fallback are closed, counted and journaled", async () => {
  await using gate = await startGate(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, socks] } }
${LIMITS}
admin: { address: "off" }`);
  await using client = await connect(gate.port("edge"));
  await client.write("\x00\x01garbage");
  equal((await client.readAll()).length, 0);
  equal((await gate.record()).outcome, "malformed");
});
