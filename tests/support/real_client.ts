/** Programs of the machine as clients: what they send first, and whole dialogues with a protocol. */
import { need } from "../../scripts/clients.ts";
import type { Protocol } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import type { GateError } from "../../gate/errors.ts";
import { fakeConn, FakeGate, pump, type Script, servedBy } from "./fake_gate.ts";
import { memoryPair } from "./memory_stream.ts";

export interface Client {
  readonly program: string;
  readonly args: (port: string) => string[];
}

/** What each client sends first; those that are not installed are left out. */
export async function firstBytes(
  clients: Readonly<Record<string, Client>>,
): Promise<Record<string, Uint8Array>> {
  const samples: Record<string, Uint8Array> = {};
  for (const [name, client] of Object.entries(clients)) {
    if (need(client.program)) samples[name] = await firstBytesOf(client);
  }
  return samples;
}

async function firstBytesOf(client: Client): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using child = start(client, listener);
  using conn = await accept(listener, child);
  const into = new Uint8Array(65536);
  return into.slice(0, await conn.read(into) ?? 0);
}

export interface Dialogue {
  readonly gate: FakeGate;
  /** What serving failed with. */
  readonly failure: GateError | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** The protocol serves one connection of a real client; `stdin` is what the client reads from its terminal. */
export async function meet(
  protocol: Protocol,
  client: Client & { readonly stdin?: string },
  script: Script,
  asksUser = false,
): Promise<Dialogue> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using child = start(client, listener);
  const output = child.output();
  using raw = await accept(listener, child);
  const [inside, peer] = memoryPair();
  const socket = socketStream(raw);
  const pumps = Promise.all([pump(socket, peer), pump(peer, socket)]);
  const gate = new FakeGate(script), conn = fakeConn(inside, { asksUser });
  const failure = await servedBy(protocol, conn, gate).then(() => undefined, (thrown: GateError) => thrown);
  if (failure) inside[Symbol.dispose]();
  const { stdout, stderr, code } = await output;
  await Promise.all([pumps, ...gate.relays]);
  const text = new TextDecoder();
  return { gate, failure, stdout: text.decode(stdout), stderr: text.decode(stderr), code };
}

function start({ program, args, stdin }: Client & { stdin?: string }, listener: Deno.TcpListener) {
  const port = String(listener.addr.port);
  const child = new Deno.Command(program, {
    args: args(port),
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C", http_proxy: "", https_proxy: "", no_proxy: "" },
  }).spawn();
  const typed = stdin === undefined ? undefined : type(child, stdin);
  let output: Promise<Deno.CommandOutput> | undefined;
  return {
    status: child.status,
    output: () => output ??= child.output(),
    async [Symbol.asyncDispose]() {
      try {
        child.kill();
      } catch {
        // It is over.
      }
      await typed;
      await (output ??= child.output());
    },
  };
}

async function type(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}

/** The client's connection; an error when the client ends without one. */
async function accept(
  listener: Deno.TcpListener,
  child: { status: Promise<Deno.CommandStatus> },
): Promise<Deno.Conn> {
  let connected = false;
  child.status.then(({ code }) => {
    if (connected) return;
    console.error(`the client ended with ${code} before it connected`);
    listener.close();
  });
  const conn = await listener.accept();
  connected = true;
  return conn;
}

/** A kernel connection as far as pump needs it. */
function socketStream(conn: Deno.Conn): Stream {
  const unused = () => {
    throw new Error("only pumped");
  };
  return {
    look: unused,
    next: unused,
    poll: unused,
    read: (into) => conn.read(into),
    async write(bytes) {
      for (let rest = bytes.slice(); rest.length > 0;) rest = rest.subarray(await conn.write(rest));
    },
    closeWrite: () => conn.closeWrite(),
    abort: () => {},
    [Symbol.dispose]: () => conn.close(),
  };
}

const OK = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n");

/** An upstream that answers one HTTP request with "hi". */
export function webUpstream(): Stream {
  const [inside, server] = memoryPair("upstream");
  void (async () => {
    await server.next((bytes) => {
      const whole = String.fromCharCode(...bytes).includes("\r\n\r\n");
      return whole ? { used: bytes.length } : bytes.length + 1;
    });
    await server.write(OK);
    await server.closeWrite();
  })().catch(() => {}); // the test sees what the client gets
  return inside;
}

/** An upstream that sends back what it gets. */
export function echoUpstream(): Stream {
  const [inside, server] = memoryPair("upstream");
  void pump(server, server);
  return inside;
}
