/** Storms: passwords guessed by dozens at once, and reloads by the hundred. Who is there notices nothing. */
import { hashPassword } from "../../gate/passwords.ts";
import { freePort } from "../../scripts/free_ports.ts";
import { equal, ok } from "../support/assert.ts";
import {
  asBefore,
  ATTACK_SECONDS,
  echoed,
  grownBy,
  inTime,
  meanwhile,
  stateBefore,
  statusOf,
} from "../support/attack.ts";
import { type Client, connect, listenEcho } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { Program } from "../support/program.ts";

const GUESSERS = 64, SOURCES = 24, RIGHT = "right and long";
const RELOADS = 200;
/** Wrong passwords that a source may give at once, and then one in so many seconds. */
const AT_ONCE = 10, ONE_IN = 3;
const encoder = new TextEncoder();

type Way = "socks" | "connect";

/** Logs in by RFC 1928 and 1929, or by CONNECT; what the gate says to it, "" where it just ended. */
async function login(way: Way, client: Client, password: string, asked: number): Promise<string> {
  if (way === "connect") {
    const basic = btoa(`alice:${password}`);
    const lines = `CONNECT 127.0.0.1:${asked} HTTP/1.1\r\nHost: 127.0.0.1:${asked}\r\n`;
    await client.write(`${lines}Proxy-Authorization: Basic ${basic}\r\n\r\n`);
    return new TextDecoder().decode(await client.read(12)).slice(9);
  }
  const user = encoder.encode("alice"), secret = encoder.encode(password);
  await client.write(Uint8Array.of(5, 1, 2));
  await client.read(2);
  await client.write(Uint8Array.of(1, user.length, ...user, secret.length, ...secret));
  const [, code] = await client.read(2);
  if (code !== 0) return "wrong";
  await client.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, asked >> 8, asked & 255));
  return (await client.read(10))[1] === 0 ? "200" : "refused";
}

/** One login from an address; what it was told. */
async function attempt(way: Way, from: string, password: string, ports: Ports): Promise<string> {
  await using client = await connect(ports.proxy, "127.0.0.1", from);
  return await login(way, client, password, ports.asked).catch(() => "");
}

interface Ports {
  readonly proxy: number;
  readonly asked: number;
}

/** Guesses by SOCKS and CONNECT, from the addresses in turn, until `over`; what guessers were told how often. */
async function storm(
  ports: Ports,
  { clients = GUESSERS, from }: { clients?: number; from: readonly string[] },
  over: AbortSignal,
): Promise<Map<string, number>> {
  const told = new Map<string, number>();
  const guess = async (guesser: number) => {
    const way = guesser % 2 ? "socks" : "connect", source = from[guesser % from.length];
    for (let i = 0; !over.aborted; i++) {
      const answer = await attempt(way, source, `guess ${guesser} ${i}`, ports);
      told.set(answer, (told.get(answer) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, guesser) => guess(guesser)));
  return told;
}

/** Whether the right password is refused behind some more guesses: one may be free again by now, on a slow machine. */
async function hasToWait(ports: Ports): Promise<boolean> {
  for (let round = 0; round < 10; round++) {
    const guesses = Array.from(
      { length: 12 },
      (_, i) => attempt("socks", "127.0.0.1", `more ${round} ${i}`, ports),
    );
    await Promise.all(guesses);
    if (await attempt("socks", "127.0.0.1", RIGHT, ports) === "wrong") return true;
  }
  return false;
}

async function withUsers(act: (program: Program, ports: Ports) => Promise<void>): Promise<void> {
  await using echo = await listenEcho();
  await using program = await Program.start(`
listeners:
  proxy: { address: "127.0.0.1:0", protocols: [socks, connect], users: { alice: "${await hashPassword(
    RIGHT,
  )}" } }
  forward: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
log: { level: warn }
admin: { address: "127.0.0.1:0" }
`);
  const before = await stateBefore(program);
  await act(program, { proxy: program.port("proxy"), asked: echo.port });
  await asBefore(program, before, 300); // heaps of two threads, and 16 MiB for each pool thread that verified
  equal(await program.stop(), 0);
}

/** A connection through the gate that is answered while `attack` runs; how often. */
async function pingPong(program: Program, attack: Promise<unknown>): Promise<number> {
  await using live = await connect(program.port("forward"));
  const times = await meanwhile(attack, async () => {
    await live.write("ping");
    equal(new TextDecoder().decode(await inTime("ping", live.read(4))), "ping");
  });
  live.end();
  await live.readAll();
  return times;
}

Deno.test(`${GUESSERS} clients of one source guess passwords at once: another source logs in meanwhile`, () =>
  withUsers(async (program, ports) => {
    const over = new AbortController(), began = performance.now();
    const guessing = storm(ports, { from: ["127.0.0.1"] }, over.signal);
    const friends = async () => {
      const until = performance.now() + ATTACK_SECONDS * 1000;
      try {
        do {
          for (const way of ["socks", "connect"] as const) {
            equal(await inTime(`a login by ${way}`, attempt(way, "127.0.0.2", RIGHT, ports)), "200");
          }
        } while (performance.now() < until);
      } finally {
        over.abort();
      }
    };
    ok(await pingPong(program, Promise.all([friends(), guessing])) > 0);
    const told = await guessing;
    equal([...told.keys()].filter((answer) => !["407", "429", "wrong"].includes(answer)), []);
    ok(await hasToWait(ports), "who guessed logs in at once");
    const throttled = program.child.stderr.split("\n").filter((line) => line.includes('"auth-throttled"'));
    equal(JSON.parse(throttled[0]).source, "127.0.0.1");
    const { authFailures } = await statusOf(program);
    const lasted = (performance.now() - began) / 1000;
    ok(
      throttled.length <= 1 + Math.floor(lasted / 60),
      `${throttled.length} lines told of it in ${lasted} s`,
    );
    ok(authFailures <= AT_ONCE + lasted / ONE_IN, `${authFailures} guesses were judged in ${lasted} s`);
  }));

Deno.test(`${SOURCES} sources guess passwords at once: who logged in before still does`, () =>
  withUsers(async (program, ports) => {
    equal(await attempt("socks", "127.0.0.2", RIGHT, ports), "200");
    const over = new AbortController();
    const from = Array.from({ length: SOURCES }, (_, i) => `127.0.2.${i + 1}`);
    const guessing = storm(ports, { clients: SOURCES, from }, over.signal);
    const friends = async () => {
      try {
        for (let i = 0; i < 20; i++) {
          equal(await inTime("a known one", attempt("connect", "127.0.0.2", RIGHT, ports)), "200");
        }
      } finally {
        over.abort();
      }
    };
    ok(await pingPong(program, Promise.all([friends(), guessing])) > 0);
    ok((await guessing).size > 0);
  }));

/** What holds in round `round`; every fifth is broken. */
const configuration = (round: number, ports: Ports): string =>
  round % 5 === 4 ? "listeners: [" : `
listeners:
  forward: { address: "127.0.0.1:${ports.proxy}", to: "127.0.0.1:${ports.asked}" }
  round${round}: { address: "127.0.0.1:0", to: "127.0.0.1:${ports.asked}" }
admin: { address: "127.0.0.1:0" }
log: { level: info }
`;

async function withReloads(act: (program: Program, ports: Ports) => Promise<number>): Promise<void> {
  await using echo = await listenEcho();
  const ports = { proxy: freePort(), asked: echo.port };
  await using program = await Program.start(configuration(0, ports));
  const before = processState(program.child.pid);
  await using live = await connect(ports.proxy);
  const last = await act(program, ports);
  await program.message((message) => message.includes(`round${last}: new`));
  await live.write("still here");
  equal(new TextDecoder().decode(await live.read(10)), "still here");
  live.end();
  await live.readAll();
  const { sockets } = await settled(program.child.pid, (now) => now.sockets <= before.sockets, 5000);
  ok(sockets <= before.sockets, `${sockets} sockets are open, before ${before.sockets}`);
  grownBy(program.child.pid, before, 96);
  equal(await program.stop(), 0);
}

Deno.test(`${RELOADS} SIGHUPs at once: the last configuration holds, and connections go on`, () =>
  withReloads(async (program, ports) => {
    const storm = async () => {
      for (let i = 1; i <= RELOADS; i++) {
        if (i % 20 === 0) await program.configure(configuration(i / 20, ports));
        program.child.signal("SIGHUP");
      }
    };
    await meanwhile(storm(), () => echoed(ports.proxy, "in the storm"));
    await program.configure(configuration(100, ports));
    program.child.signal("SIGHUP");
    return 100;
  }));

Deno.test("a configuration that changes all the time is read as fast as it can be, and the last one holds", () =>
  withReloads(async (program, ports) => {
    const until = performance.now() + ATTACK_SECONDS * 1000 / 2;
    let round = 0;
    const change = async () => {
      while (performance.now() < until) {
        await program.configure(configuration(++round, ports));
        await new Promise((done) => setTimeout(done, 5));
      }
    };
    ok(await meanwhile(change(), () => echoed(ports.proxy, "all the time")) > 0);
    ok(round > 10, `${round} changes`);
    while (round % 5 !== 0) round++;
    await program.configure(configuration(round, ports));
    return round;
  }));
