/** Peers that break what they began: everything made is freed, whoever waits hears of it, and others are not disturbed. */
import type { Stream } from "../../../gate/streams.ts";
import { liveConnections } from "../../../gate/engine/openssl.ts";
import { liveContexts } from "../../../gate/engine/openssl_context.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import type { Socket } from "../../../gate/engine/socket.ts";
import { GateError } from "../../../gate/errors.ts";
import { acceptTls, beginAccepting, connectTls, type Outcome } from "../../../protocols/tls/secure.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { clientHello } from "../../support/client_hello.ts";
import { LooseJoint } from "../../support/loose_joint.ts";
import { readAll, readExactly } from "../../support/memory_stream.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";
import { client, NAME, PATIENCE, secured, server } from "../../support/tls_pairs.ts";

const tcp = () => SUBJECTS["TCP"].pair() as Promise<readonly [Socket, Socket]>;
const broken = () => new GateError("internal", "gate", "Cannot go on: the test breaks it");
const streamOver = (joint: LooseJoint) => ({ joint: () => joint }) as unknown as Stream;

/** What a real client sends first. */
async function realHello(): Promise<Uint8Array> {
  const joint = new LooseJoint(), gone = new AbortController();
  const asked = fails(
    connectTls(streamOver(joint), client, NAME, { ...PATIENCE, signal: gone.signal }),
    "internal",
  );
  const hello = joint.drain();
  gone.abort(broken());
  await asked;
  return hello;
}

const flipped = (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at] ^ 0x55);

/** What a peer does, and how the handshake fails of it. */
const WAYS: readonly (readonly [failure: string, act: (joint: LooseJoint, hello: Uint8Array) => void])[] = [
  ["malformed", (joint) => joint.give(pattern(200, 7))], // garbage
  ["malformed", (joint) => joint.give(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))],
  ["malformed", (joint, hello) => joint.give(flipped(hello, 43))], // of broken lengths
  ["malformed", (joint) => joint.give(clientHello({ serverName: NAME }))], // of too few extensions
  ["closed", (joint, hello) => {
    joint.give(hello.subarray(0, 100));
    joint.taker!.end();
  }],
  ["closed", (joint, hello) => {
    joint.give(hello);
    joint.taker!.end();
  }],
  ["internal", (joint, hello) => {
    joint.give(hello);
    joint.taker!.broke(broken());
  }],
  ["malformed", (joint, hello) => { // a record that does not open
    joint.give(hello);
    joint.give(Uint8Array.of(23, 3, 3, 0, 40, ...pattern(40)));
  }],
  ["reset", (joint, hello) => { // an alert
    joint.give(hello);
    joint.give(Uint8Array.of(21, 3, 3, 0, 2, 2, 48));
  }],
  ["malformed", (joint) => joint.give(Uint8Array.of(22, 3, 1, 255, 255))], // a record too long
];

/** So many broken handshakes, ten at once. */
async function breakMany(times: number): Promise<void> {
  const hello = await realHello();
  for (let i = 0; i < times; i += WAYS.length) {
    await Promise.all(WAYS.map(async ([failure, act]) => {
      const joint = new LooseJoint();
      const accepted = fails(acceptTls(streamOver(joint), server, PATIENCE), failure);
      act(joint, hello);
      await accepted;
      joint.taker!.end(); // who lingers hears the end
    }));
  }
}

Deno.test("20,000 handshakes broken in every way leave nothing, and memory flat", async () => {
  const contexts = liveContexts.count;
  await onLoop(() => breakMany(2000));
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < 9; i++) await onLoop(() => breakMany(2000));
  const grown = Deno.memoryUsage().rss - before;
  equal([liveConnections.count, liveContexts.count], [0, contexts]);
  ok(grown < 24 << 20, `${grown} bytes more`);
});

Deno.test("behind a broken handshake the next one finds nothing of it", () =>
  onLoop(async () => {
    for (let i = 0; i < 20; i++) {
      const joint = new LooseJoint();
      const accepted = fails(acceptTls(streamOver(joint), server, PATIENCE), "malformed");
      await Promise.resolve();
      joint.give(pattern(1000 + i, i));
      await accepted;
      joint.taker!.end();
      const [a, b] = await secured(await tcp());
      await a.stream.write(pattern(100));
      equal(await readExactly(b.stream, 100), pattern(100));
      a.stream[Symbol.dispose]();
      b.stream[Symbol.dispose]();
    }
  }));

Deno.test("a context that cannot be made fails its own handshake, and no other", () =>
  onLoop(async () => {
    const [a, b] = await tcp(), settled = Promise.withResolvers<Outcome>();
    const asked = fails(connectTls(a, client, NAME, PATIENCE), "reset");
    beginAccepting(
      b,
      () => {
        throw broken();
      },
      PATIENCE,
      undefined,
      (outcome) => {
        promiseResolved();
        settled.resolve(outcome);
      },
    );
    equal((await settled.promise as GateError).message, broken().message);
    await asked;
    for (const { stream } of await secured(await tcp())) stream[Symbol.dispose]();
  }));

Deno.test("a broken hello gets an alert and the end, and no reset before it", () =>
  onLoop(async () => {
    const [a, b] = await tcp();
    const accepted = fails(acceptTls(b, server, PATIENCE), "malformed");
    await a.write(flipped(await realHello(), 43));
    await accepted;
    const answer = await readAll(a);
    equal([answer[0], answer.length], [21, 7]);
    a[Symbol.dispose]();
  }));

Deno.test("an end without close_notify is a reset to who reads, from either side", () =>
  onLoop(async () => {
    for (const which of [0, 1]) {
      const raw = await tcp(), sides = await secured(raw);
      await sides[which].stream.write(pattern(50_000));
      raw[which].shutdownWrite(); // below TLS
      const other = sides[1 - which].stream;
      await fails(readAll(other), "reset");
      await fails(readAll(sides[which].stream), "reset");
      other[Symbol.dispose]();
    }
    equal(liveConnections.count, 0);
  }));

Deno.test("bytes that were changed on the way break the connection, and none of them is handed up", () =>
  onLoop(async () => {
    const raw = await tcp(), [a, b] = await secured(raw);
    await a.stream.write(pattern(1000));
    await pause(5);
    raw[0].send(Uint8Array.of(23, 3, 3, 0, 40, ...pattern(40)));
    equal(await readExactly(b.stream, 1000), pattern(1000));
    await fails(b.stream.read(new Uint8Array(1)), "malformed");
    await fails(readAll(a.stream), "reset"); // by the alert
    equal(liveConnections.count, 0);
  }));

Deno.test("who is silent, or slow, is cut when the time for the handshake is over, and a signal cuts at once", () =>
  onLoop(async () => {
    const hello = await realHello();
    for (const begin of [0, 3, 200, hello.length]) {
      const [a, b] = await tcp();
      const accepted = fails(acceptTls(b, server, { timeout: 30 }), "timeout");
      if (begin > 0) await a.write(hello.subarray(0, begin));
      await accepted;
      await fails(readAll(a), "reset");
      a[Symbol.dispose]();
    }
    const [a, b] = await tcp(), gone = new AbortController();
    const asked = fails(connectTls(a, client, NAME, { ...PATIENCE, signal: gone.signal }), "internal");
    await pause(5);
    gone.abort(broken());
    await asked;
    await fails(readAll(b), "reset");
    b[Symbol.dispose]();
    const dead = await tcp();
    await fails(connectTls(dead[0], client, NAME, { ...PATIENCE, signal: gone.signal }), "internal");
    dead[1][Symbol.dispose]();
    equal(liveConnections.count, 0);
  }));

Deno.test("a stream that is gone already, or has no joint, is told and leaves nothing", () =>
  onLoop(async () => {
    const [a, b] = await tcp();
    a.abort(broken());
    await fails(acceptTls(a, server, PATIENCE), "internal");
    await fails(acceptTls(b, server, PATIENCE), "reset");
    await fails(acceptTls({} as Stream, server, PATIENCE), "internal");
    equal(liveConnections.count, 0);
  }));

Deno.test("of handshakes that come at once some are done in a turn, and the others in later ones, in order", () =>
  onLoop(async () => {
    const hello = await realHello(), joints: LooseJoint[] = [], done: number[] = [];
    const gone = new AbortController();
    const all = Array.from({ length: 200 }, (_, i) => {
      const joint = new LooseJoint();
      joints.push(joint);
      return fails(acceptTls(streamOver(joint), server, { ...PATIENCE, signal: gone.signal }), "internal")
        .then(() => done.push(i));
    });
    await Promise.resolve();
    for (const joint of joints) joint.give(hello);
    const answered = () => joints.filter(({ sent }) => sent.length > 0).length;
    const first = answered();
    ok(first > 0 && first < 200, `${first} of 200 in the turn in which they came`);
    for (let seen = first; seen < 200;) {
      await pause(0);
      const now = answered();
      ok(joints.slice(0, now).every(({ sent }) => sent.length > 0), "one overtook another");
      seen = now;
    }
    gone.abort(broken());
    await Promise.all(all);
    equal([done.length, liveConnections.count], [200, 0]);
  }));
