/** SIGTERM: nothing new is taken, what is under way may finish, a second signal ends at once. */
import { once } from "node:events";
import type net from "node:net";
import { equal, ok, rejects } from "../support/assert.ts";
import { connect, listen, listenEcho } from "../support/net.ts";
import { Program } from "../support/program.ts";

const GIGABYTE = 1 << 30, CHUNK = new Uint8Array(1 << 20).fill(7);

async function send(socket: net.Socket): Promise<void> {
  for (let sent = 0; sent < GIGABYTE; sent += CHUNK.length) {
    if (!socket.write(CHUNK)) await once(socket, "drain");
  }
  socket.end();
}

/** Resolves with what came when the peer has ended; `half` hears when half of it is there. */
function receive(socket: net.Socket, half: () => void): Promise<number> {
  let size = 0;
  return new Promise((resolve, reject) => {
    socket.on("data", (bytes) => {
      if (size < GIGABYTE / 2 && size + bytes.length >= GIGABYTE / 2) half();
      size += bytes.length;
    });
    socket.once("end", () => resolve(size));
    socket.once("error", reject);
  });
}

const forward = (port: number, grace: string) => `
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${port}" } }
admin: { address: "off" }
limits: { grace: ${grace} }
`;

Deno.test("a gigabyte each way, half of it done when SIGTERM comes, arrives whole; nobody new gets in", async () => {
  const half = Promise.withResolvers<void>(), received = Promise.withResolvers<number>();
  await using server = await listen((socket) => {
    void receive(socket, () => {}).then(received.resolve, received.reject);
    void send(socket).catch(received.reject);
  });
  await using program = await Program.start(forward(server.port, "60s"));
  const port = program.port("fwd");
  const socket = (await import("node:net")).connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const back = receive(socket, half.resolve);
  const sent = send(socket);
  await half.promise;
  program.child.signal("SIGTERM");
  await program.message((message) => message.includes("stopping"));
  await rejects(connect(port), /ECONNREFUSED/);
  equal([await back, await received.promise], [GIGABYTE, GIGABYTE]);
  await sent;
  equal(await program.child.exit(), 0);
  equal(program.records.map(({ outcome, up, down }) => [outcome, up, down]), [["ok", GIGABYTE, GIGABYTE]]);
  socket.destroy();
});

Deno.test("a second signal, half a second after the first, ends at once", async () => {
  await using echo = await listenEcho();
  await using program = await Program.start(forward(echo.port, "60s"));
  await using client = await connect(program.port("fwd"));
  await client.write("x");
  await client.read(1);
  program.child.signal("SIGTERM");
  await program.message((message) => message.includes("stopping"));
  await new Promise((done) => setTimeout(done, 600)); // an earlier one counts as the echo of the first
  const began = performance.now();
  program.child.signal("SIGTERM");
  equal(await program.child.exit(), 1);
  ok(performance.now() - began < 30_000, "it waited for the connection");
  ok(program.messages.includes("a second signal: 1 connections are cut"), program.child.stderr);
});

Deno.test("whoever is silent when it stops may still speak, and is served", async () => {
  await using ssh = await listenEcho();
  await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh], sniffTimeout: 20s } }
routes: [ { protocol: ssh, to: "127.0.0.1:${ssh.port}" } ]
admin: { address: "off" }
`);
  await using client = await connect(program.port("edge"));
  await using silent = await connect(program.port("edge"));
  program.child.signal("SIGTERM");
  await program.message((message) => message.includes("stopping"));
  await client.write("SSH-2.0-late\r\n");
  equal(new TextDecoder().decode(await client.read(14)), "SSH-2.0-late\r\n");
  client.end();
  await client.readAll();
  silent.end();
  equal(await program.child.exit(), 0);
});
