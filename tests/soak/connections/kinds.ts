/** Every kind of connection that the soak makes: what its client does, and how its record may end. */
import { clientHello } from "../../support/client_hello.ts";
import { exchange, joined, KINDS as MIXED } from "../../support/mixed_load.ts";
import { type Client, connect, socks } from "../../support/net.ts";
import type { KindFacts } from "../course.ts";
import {
  CLOSED_PORT,
  DENIED_PORT,
  DENIED_SOURCE,
  type Door,
  type Doors,
  NOBODY,
  PASSWORD,
  POURED,
  type Servers,
  USER,
} from "./world.ts";

/** What a connection may use; `made` is called once it stands: from then on there has to be a record. */
export interface Scene {
  readonly doors: Doors;
  readonly servers: Servers;
  readonly from: string;
  readonly random: () => number;
  readonly made: () => void;
}

export interface Kind extends KindFacts {
  /** How often it is made, beside others. */
  readonly weight: number;
  /** One connection from its first byte to its end. Throws where the gate did not do what is right. */
  act(scene: Scene): Promise<void>;
}

type Play = (client: Client, scene: Scene) => Promise<unknown>;

/** How often a thing is made that holds a place for a second. */
const RARE = 0.2;
const encoder = new TextEncoder();
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

function expect(what: boolean, told: string): void {
  if (!what) throw new Error(`Cannot go on: ${told}`);
}

/** The gate gives up on it, by an end or a reset; what came before. */
const dropped = (client: Client): Promise<Uint8Array> => client.readAll().catch(() => new Uint8Array());

/** Reads up to the end; a reset is what happens to servers that reset. */
async function refused(client: Client, code: number, asked: number, host = "127.0.0.1"): Promise<void> {
  const told = await socks(client, host, asked).then(() => "served", (error) => error.message);
  expect(told === `socks reply ${code}`, `expected socks reply ${code}, was told ${told}`);
  await dropped(client);
}

async function loggedIn(client: Client, password: string): Promise<boolean> {
  const user = encoder.encode(USER), secret = encoder.encode(password);
  await client.write(Uint8Array.of(5, 1, 2));
  await client.read(2);
  await client.write(Uint8Array.of(1, user.length, ...user, secret.length, ...secret));
  return (await client.read(2))[1] === 0;
}

const basic = (asked: number, password: string): string =>
  `CONNECT localhost:${asked} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${
    btoa(`${USER}:${password}`)
  }\r\n\r\n`;

/** Says `text` through what was opened, and hears the server's name and the same. */
async function echoed(client: Client, tag: string, text = "soaked"): Promise<void> {
  await client.write(text);
  client.end();
  const heard = new TextDecoder().decode(await client.readAll());
  expect(heard === `<${tag}>${text}`, `expected <${tag}>${text}, heard ${heard}`);
}

/** A kind that begins with a connection to a door. */
const at = (
  name: string,
  door: Door,
  outcomes: string,
  play: Play,
  { weight = 1, from }: { weight?: number; from?: string } = {},
): Omit<Kind, "from"> & { from?: string } => ({
  name,
  weight,
  from,
  outcomes: outcomes.split(" "),
  async act(scene) {
    await using client = await connect(scene.doors[door], "127.0.0.1", scene.from);
    scene.made();
    await play(client, scene);
  },
});

const SERVED = [
  at("forward", "forward", "ok", (client) => echoed(client, "asked")),
  at("PROXY v1", "proxied", "ok", async (client, { from }) => {
    await client.write(`PROXY TCP4 ${from} 127.0.0.1 ${client.socket.localPort} 443\r\n`);
    await echoed(client, "ssh", "SSH-2.0-soaked\r\n");
  }),
  at("PROXY v2", "proxied", "ok", async (client, { from }) => {
    const signature = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
    const addresses = [...from.split(".").map(Number), 127, 0, 0, 1, 0, 9, 1, 187];
    await client.write(joined(signature, Uint8Array.of(0x21, 0x11, 0, addresses.length, ...addresses)));
    await echoed(client, "ssh", "SSH-2.0-soaked\r\n");
  }),
  at("socks with a password", "users", "ok", async (client, { servers: { asked } }) => {
    expect(await loggedIn(client, PASSWORD), "the right password was refused");
    await client.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, asked >> 8, asked & 255));
    expect((await client.read(10))[1] === 0, "the gate did not connect");
    await echoed(client, "asked");
  }),
  at("connect with a password", "users", "ok", async (client, { servers: { asked } }) => {
    await client.write(basic(asked, PASSWORD));
    const answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    expect(new TextDecoder().decode(await client.read(answer.length)) === answer, "expected 200");
    await echoed(client, "asked");
  }),
  at("slow reader", "strict", "ok", async (client, { servers }) => {
    await socks(client, "127.0.0.1", servers.pouring);
    let got = 0;
    for (let i = 0; i < 4; i++) {
      client.socket.pause();
      await pause(20);
      client.socket.resume();
      got += (await client.read(POURED / 8)).length;
    }
    client.end();
    got += (await client.readAll()).length;
    expect(got === POURED, `expected ${POURED} bytes, got ${got}`);
  }, { weight: RARE }),
  at("server leaves first", "strict", "ok", async (client, { servers }) => {
    await socks(client, "localhost", servers.leaving);
    expect(new TextDecoder().decode(await client.readAll()) === "goodbye", "expected goodbye");
    await client.write("and you");
    client.end();
  }),
  at("silence, fallback", "edge", "ok", async (client) => {
    await pause(1200); // behind the sniff time
    await echoed(client, "fallback", "late");
  }, { weight: RARE }),
];

const REFUSED = [
  at("unknown bytes", "strict", "unsupported malformed", async (client) => {
    await client.write(Uint8Array.of(0xee, 1, 2, 3));
    expect((await dropped(client)).length === 0, "unknown bytes were answered");
  }),
  at("silence", "strict", "timeout", (client) => dropped(client), { weight: RARE }),
  at("half a head, then silence", "strict", "timeout", async (client) => {
    await client.write("CONN");
    await dropped(client);
  }, { weight: RARE }),
  at("half a request, then silence", "strict", "timeout", async (client) => {
    await client.write(Uint8Array.of(5, 1, 0, 5, 1));
    await dropped(client);
  }, { weight: RARE }),
  at("denied port", "strict", "denied", (client) => refused(client, 2, DENIED_PORT)),
  at("denied source", "edge", "denied", (client) => dropped(client), { from: DENIED_SOURCE }),
  at("nobody listens", "strict", "refused", (client) => refused(client, 5, CLOSED_PORT)),
  at("nobody knows", "strict", "no-route", (client) => refused(client, 4, 80, NOBODY)),
  at("SNI that nobody knows", "strict", "no-route", async (client) => {
    await client.write(clientHello({ serverName: NOBODY }));
    expect((await dropped(client))[0] === 21, "expected a TLS alert");
  }),
  at("socks nonsense", "strict", "unsupported malformed", async (client) => {
    await client.write(Uint8Array.of(5, 1, 0, 5, 9, 0, 77));
    await dropped(client);
  }),
  at("no PROXY header", "proxied", "malformed", async (client) => {
    await client.write("SSH-2.0-direct\r\n");
    await dropped(client);
  }),
  at("socks, wrong password", "users", "unauthenticated exhausted", async (client, { random }) => {
    expect(!await loggedIn(client, `guess ${random()}`), "a wrong password was believed");
    await dropped(client);
  }),
  at(
    "connect, wrong password",
    "users",
    "unauthenticated exhausted",
    async (client, { random, servers }) => {
      await client.write(basic(servers.asked, `guess ${random()}`));
      const answer = new TextDecoder().decode(await dropped(client));
      expect(/^HTTP\/1\.1 (407|429) /.test(answer), `expected 407 or 429, got ${answer.slice(0, 40)}`);
    },
  ),
];

/** A reset is seen as such, or as an end where the gate saw it before anything else. */
const RESET = "reset closed ok timeout";
const RESETS = [
  at("reset at once", "strict", RESET, (client) => Promise.resolve(client.reset())),
  at("reset in its head", "strict", RESET, async (client) => {
    await client.write(clientHello({ serverName: "a.test" }).subarray(0, 40));
    client.reset();
  }),
  at("reset in its request", "strict", RESET, async (client) => {
    await client.write(Uint8Array.of(5, 1, 0));
    await client.read(2);
    await client.write(Uint8Array.of(5, 1, 0, 3));
    client.reset();
  }),
  at("reset while it is dialed for", "strict", `${RESET} refused`, async (client, { servers }) => {
    await client.write(Uint8Array.of(5, 1, 0));
    await client.read(2);
    const { asked } = servers;
    await client.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, asked >> 8, asked & 255));
    client.reset();
  }),
  at("reset in a transfer", "strict", RESET, async (client, { servers }) => {
    await socks(client, "127.0.0.1", servers.pouring);
    await client.read(1000);
    client.reset();
  }),
  at("reset by the server", "strict", "reset", async (client, { servers }) => {
    await socks(client, "127.0.0.1", servers.resetting);
    await client.write("x");
    await dropped(client);
  }),
];

/** Half-closed by their clients, who then hear all of their answer. */
const MIX: readonly (Omit<Kind, "from"> & { from?: string })[] = MIXED.map((kind) => ({
  name: kind.name,
  weight: 1,
  outcomes: ["ok"],
  act: ({ doors, servers, from, random, made }) =>
    exchange(kind, { gate: doors.edge, asked: servers.asked, from, made }, random),
}));

export const KINDS: readonly Kind[] = [...MIX, ...SERVED, ...REFUSED, ...RESETS].map((kind, i) => ({
  ...kind,
  from: kind.from ?? `127.1.0.${i + 1}`,
}));
