/** Connections of every kind that one port tells apart. Each knows the only answer that is right, byte by byte. */
import tls from "node:tls";
import { clientHello } from "./client_hello.ts";
import { type Client, connect, listen, type TestServer } from "./net.ts";

const encoder = new TextEncoder();
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const LARGEST_PAYLOAD = 40_000;

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** Says its name once the client has spoken, then sends back what comes: who answers is known, and what it got. */
export function listenTagged(tag: string): Promise<TestServer> {
  return listen((socket) => {
    socket.once("data", () => socket.write(`<${tag}>`));
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => socket.end());
  });
}

export interface Ports {
  readonly gate: number;
  /** The server that clients of proxies ask for. */
  readonly asked: number;
  /** The address that clients come from. */
  readonly from?: string;
  /** Called once the client's connection stands. */
  readonly made?: () => void;
}

export interface Kind {
  readonly name: string;
  /** Whose answer is the right one. */
  readonly tag: string;
  /** What the client sends before its payload. */
  opening?(random: () => number): Uint8Array;
  /** Speaks to a proxy until the way is free. */
  enter?(client: Client, asked: number): Promise<void>;
}

const socks4 = (port: number, named: boolean): Uint8Array =>
  joined(
    Uint8Array.of(4, 1, port >> 8, port & 0xff),
    named ? joined(Uint8Array.of(0, 0, 0, 1), ascii("me\0localhost\0")) : Uint8Array.of(127, 0, 0, 1, 0),
  );

const socks5 = (port: number, address: Uint8Array): Uint8Array =>
  joined(Uint8Array.of(5, 1, 0), address, Uint8Array.of(port >> 8, port & 0xff));

async function enter5(client: Client, asked: number, address: Uint8Array): Promise<void> {
  await client.write(Uint8Array.of(5, 2, 0, 1));
  expect(await client.read(2), [5, 0]);
  await client.write(socks5(asked, address));
  expect((await client.read(10)).subarray(0, 2), [5, 0]);
}

async function enter4(client: Client, asked: number, named: boolean): Promise<void> {
  await client.write(socks4(asked, named));
  expect((await client.read(8)).subarray(0, 2), [0, 90]);
}

async function enterConnect(client: Client, asked: number): Promise<void> {
  await client.write(`CONNECT localhost:${asked} HTTP/1.1\r\nHost: localhost:${asked}\r\n\r\n`);
  const answer = "HTTP/1.1 200 Connection established\r\n\r\n";
  expect(await client.read(answer.length), ascii(answer));
}

function expect(actual: Uint8Array, expected: ArrayLike<number>): void {
  if (actual.length === expected.length && actual.every((byte, i) => byte === expected[i])) return;
  throw new Error(`expected [${Array.from(expected)}], got [${actual.subarray(0, 60)}]`);
}

/** RFC: MQTT 3.1.1 3.1 and MQTT 5 3.1; the client id makes the length vary. */
function mqttConnect(version: 4 | 5, id: string): Uint8Array {
  const properties = version === 5 ? [0] : [];
  const body = joined(
    Uint8Array.of(0, 4, ...ascii("MQTT"), version, 2, 0, 60, ...properties),
    Uint8Array.of(id.length >> 8, id.length & 0xff),
    ascii(id),
  );
  return joined(Uint8Array.of(0x10, 0x80 | (body.length & 0x7f), body.length >> 7), body);
}

const id = (random: () => number): string => "c".repeat(1 + Math.floor(random() * 300));

export const KINDS: readonly Kind[] = [
  { name: "ssh", tag: "ssh", opening: () => encoder.encode("SSH-2.0-OpenSSH_9.2 load\r\n") },
  { name: "mqtt 3.1.1", tag: "mqtt", opening: (random) => mqttConnect(4, id(random)) },
  { name: "mqtt 5", tag: "mqtt", opening: (random) => mqttConnect(5, id(random)) },
  { name: "http", tag: "http", opening: () => ascii("POST /x?y HTTP/1.1\r\nHost: plain.test\r\n\r\n") },
  { name: "http/2", tag: "http", opening: () => ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
  { name: "hello to a", tag: "a", opening: () => clientHello({ serverName: "a.test", alpn: ["h2"] }) },
  {
    name: "hello to b",
    tag: "b",
    opening: () => clientHello({ serverName: "x.b.test", records: [40, 7, 900] }),
  },
  { name: "unknown", tag: "fallback", opening: () => Uint8Array.of(0xee, 0xff, 1, 2, 3) },
  { name: "socks4", tag: "asked", enter: (client, asked) => enter4(client, asked, false) },
  { name: "socks4a", tag: "asked", enter: (client, asked) => enter4(client, asked, true) },
  {
    name: "socks5",
    tag: "asked",
    enter: (client, asked) => enter5(client, asked, Uint8Array.of(1, 127, 0, 0, 1)),
  },
  {
    name: "socks5h",
    tag: "asked",
    enter: (client, asked) => enter5(client, asked, joined(Uint8Array.of(3, 9), ascii("localhost"))),
  },
  { name: "connect", tag: "asked", enter: enterConnect },
];

/** One connection of a kind from its first byte to the end; throws where a byte is not the right one. */
export async function exchange(kind: Kind, ports: Ports, random: () => number): Promise<void> {
  const { gate, asked, from, made } = ports;
  await using client = await connect(gate, "127.0.0.1", from);
  made?.();
  await kind.enter?.(client, asked);
  const payload = new Uint8Array(1 + Math.floor(random() ** 3 * LARGEST_PAYLOAD));
  crypto.getRandomValues(payload);
  const sent = joined(kind.opening?.(random) ?? new Uint8Array(), payload);
  // Now and then in two packets, cut anywhere in the opening.
  const cut = random() < 0.3 ? 1 + Math.floor(random() * Math.min(60, sent.length - 1)) : sent.length;
  await client.write(sent.subarray(0, cut));
  if (cut < sent.length) await client.write(sent.subarray(cut));
  client.end();
  expect(await client.readAll(), joined(ascii(`<${kind.tag}>`), sent));
}

/** A TLS server in this process that sends back what it gets; its certificate says who it is. */
export async function listenTls(files: { readonly cert: string; readonly key: string }): Promise<TestServer> {
  const [cert, key] = await Promise.all([Deno.readTextFile(files.cert), Deno.readTextFile(files.key)]);
  const sockets: tls.TLSSocket[] = [];
  const server = tls.createServer({ cert, key }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** A whole handshake for `name`, an echo, and whose certificate that was. */
export function exchangeTls(port: number, name: string, size: number): Promise<string> {
  const payload = crypto.getRandomValues(new Uint8Array(size));
  return new Promise((done, failed) => {
    const socket = tls.connect({ port, host: "127.0.0.1", servername: name, rejectUnauthorized: false });
    const chunks: Uint8Array[] = [];
    let subject = "", got = 0;
    socket.on("secureConnect", () => {
      const { CN } = socket.getPeerCertificate().subject;
      subject = typeof CN === "string" ? CN : "";
      socket.write(payload);
    });
    socket.on("data", (bytes) => {
      chunks.push(bytes);
      if ((got += bytes.length) >= size) socket.end();
    });
    socket.on("error", failed);
    socket.on("close", () => {
      try {
        expect(joined(...chunks), payload);
        done(subject);
      } catch (wrong) {
        failed(wrong);
      }
    });
  });
}
