/** Channels and requests between two connections, and of peers that break the rules of RFC 4254. */
import fc from "fast-check";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import type { Stream } from "../../../../gate/streams.ts";
import { GateError } from "../../../../gate/errors.ts";
import type { Answer } from "../../../../protocols/ssh/channels/answers.ts";
import { Connection, type ConnectionEvents } from "../../../../protocols/ssh/channels/connection.ts";
import type { Opening } from "../../../../protocols/ssh/channels/opening.ts";
import { FIRST_WINDOW } from "../../../../protocols/ssh/channels/flow.ts";
import * as numbers from "../../../../protocols/ssh/numbers.ts";
import { encoded } from "../../../../protocols/ssh/wire.ts";
import { equal, fails, ok, throws } from "../../../support/assert.ts";
import { readAll, readExactly } from "../../../support/memory_stream.ts";
import { onLoop, pause } from "../../../support/on_loop.ts";
import { pattern } from "../../../support/pattern.ts";
import { Bridge, Observer } from "../../../support/ssh_transport.ts";

openssl(); // the library stays: no test is to be blamed for it

const NOTHING = new Uint8Array(0);
const MOST = 10;

/** As many bytes, in whatever parts they come. */
async function readSo(stream: Stream, size: number): Promise<Uint8Array> {
  const all = new Uint8Array(size);
  for (let at = 0; at < size;) at += await stream.read(all.subarray(at)) ?? size;
  return all;
}

/** Two connections; what the server is told is kept. */
class Pair implements Disposable {
  readonly bridge = new Bridge();
  readonly openings: Opening[] = [];
  readonly requests: { name: string; data: Uint8Array; answer: Answer | undefined }[] = [];
  readonly broken: GateError[] = [];
  client!: Connection;
  server!: Connection;

  static async make(): Promise<Pair> {
    const pair = new Pair();
    ok(await pair.bridge.secure());
    const events: ConnectionEvents = {
      opens: (opening) => pair.openings.push(opening),
      request: (name, from, answer) =>
        pair.requests.push({ name, data: from.raw(from.left).slice(), answer }),
      broke: (reason) => pair.broken.push(reason),
    };
    const limits = { most: MOST, roundTrip: 1 };
    pair.server = new Connection(pair.bridge.server.transport, events, limits);
    pair.client = new Connection(pair.bridge.client.transport, { ...events, broke: () => {} }, limits);
    return pair;
  }

  cross(): Promise<void> {
    return this.bridge.cross();
  }

  /** An open channel: the client's end, and the server's. */
  async opened(): Promise<[Stream, Stream]> {
    const near = this.client.open("direct-tcpip", NOTHING);
    await this.cross();
    const far = this.openings.at(-1)!.accept();
    await this.cross();
    return [near.stream, far.stream];
  }

  /** What a client sends that has no rules. */
  raw(number: number, ...words: readonly (number | string | Uint8Array)[]): Promise<void> {
    this.bridge.client.transport.send(encoded((to) => {
      to.byte(number);
      for (const word of words) {
        if (typeof word === "number") to.uint32(word);
        else if (typeof word === "string") to.text(word);
        else to.raw(word);
      }
    }));
    return this.cross();
  }

  [Symbol.dispose](): void {
    this.bridge.close();
  }
}

Deno.test("a channel is opened with what belongs to its type, and accepted when it suits", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const seen: string[] = [];
    const near = pair.client.open("direct-tcpip", encoded((to) => to.text("there").uint32(22)), {
      opened: () => seen.push("opened"),
    });
    const written = Promise.resolve(near.stream.write(pattern(100)));
    await pair.cross();
    const [opening] = pair.openings;
    equal(opening.type, "direct-tcpip");
    equal([opening.from.text(), opening.from.uint32(), seen], ["there", 22, []]);
    const far = opening.accept();
    await pair.cross();
    await written;
    await pair.cross();
    equal(seen, ["opened"]);
    equal(await readExactly(far.stream, 100), pattern(100));
    equal([pair.client.channels, pair.server.channels], [1, 1]);
  }));

Deno.test("a refusal is told by its code, and the number is free again", () =>
  onLoop(async () => {
    const failures = { 1: "denied", 2: "refused", 3: "unsupported", 4: "exhausted", 99: "refused" };
    using pair = await Pair.make();
    for (const [code, failure] of Object.entries(failures)) {
      const { stream } = pair.client.open("x", NOTHING);
      const read = fails(stream.read(new Uint8Array(1)), failure);
      await pair.cross();
      pair.openings.at(-1)!.refuse(Number(code), "not here");
      pair.openings.at(-1)!.refuse(Number(code), "twice");
      await pair.cross();
      await read;
      equal([pair.client.channels, pair.server.channels], [0, 0]);
    }
    equal(pair.broken, []);
  }));

Deno.test("what a server says and then closes is there for who looks later", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const [near, far] = await pair.opened();
    await far.write(pattern(5000));
    await far.closeWrite();
    await pair.cross();
    const { server } = pair;
    equal(server.channels, 1);
    (far as unknown as { abort(reason: unknown): void }).abort(new Error("closes"));
    await pair.cross();
    const joint = near.joint!();
    ok(joint, "it can still be joined");
    equal(await readAll(joint.leave()), pattern(5000));
    near[Symbol.dispose]();
    await pair.cross();
    equal([pair.client.channels, server.channels], [0, 0]);
  }));

Deno.test("who sends to a channel that its peer has closed hears of a reset", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const [near, far] = await pair.opened();
    await far.closeWrite();
    far.abort({ failure: "internal" } as GateError);
    await pair.cross();
    equal(await readAll(near), NOTHING);
    await fails(Promise.resolve().then(() => near.write(pattern(10))), "reset");
    await pair.cross();
    equal(pair.broken, []);
  }));

Deno.test("a channel without an end before its close is a reset", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const [near, far] = await pair.opened();
    far.abort({ failure: "internal" } as GateError);
    const read = fails(near.read(new Uint8Array(1)), "reset");
    await pair.cross();
    await read;
    equal([pair.client.channels, pair.server.channels], [0, 0]);
  }));

Deno.test("behind our end, a close alone is an end where it is not a gate's: other programs tell no reset", () =>
  onLoop(async () => {
    for (const [isGate, outcome] of [[false, "whole"], [true, "reset"]] as const) {
      using pair = await Pair.make();
      Object.defineProperty(pair.bridge.client.transport, "isGate", { value: isGate });
      const [near, far] = await pair.opened();
      await near.closeWrite();
      await pair.cross();
      await far.write(pattern(1000));
      far.abort(new GateError("closed", "client", "Cannot go on: it closes"));
      await pair.cross();
      const read = readAll(near).then(({ length }) => length === 1000 ? "whole" : length, () => "reset");
      await pair.cross();
      equal(await read, outcome);
      equal(pair.client.channels, 0);
    }
  }));

Deno.test("one channel that nobody reads stops no other one", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const [stuck] = await pair.opened(), [near, far] = await pair.opened();
    let over = false;
    const written = Promise.resolve(stuck.write(pattern(FIRST_WINDOW * 3))).finally(() => over = true);
    await pair.cross();
    const bytes = pattern(3_000_000, 2);
    const read = readSo(far, bytes.length);
    const sent = Promise.resolve(near.write(bytes));
    for (let i = 0; i < 20; i++) await pair.cross();
    await sent;
    equal(await read, bytes);
    equal(over, false);
    stuck.abort({ failure: "internal" } as GateError);
    await written.catch(() => {});
    equal(pair.broken, []);
  }));

Deno.test("a window that is given back while keys are exchanged is used behind them", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const [near, far] = await pair.opened(), bytes = pattern(FIRST_WINDOW + 5000);
    const written = near.write(bytes);
    ok(written, "the window is full");
    await pair.cross();
    const read = readSo(far, bytes.length);
    for (let i = 0; i < 20; i++) await pause(0); // what it gives back is on its way
    pair.bridge.client.transport.rekey();
    await pair.cross();
    await written;
    await pair.cross();
    equal(await read, bytes);
  }));

Deno.test("answers to global requests go out in the order of the requests, with what belongs to them", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const answers: unknown[] = [];
    const ask = (name: string) =>
      pair.client.ask(name, pattern(3), (granted, from) => answers.push([name, granted, from.left]));
    for (const name of ["a", "b", "c"]) ask(name);
    pair.client.ask("unasked@example.com", NOTHING);
    await pair.cross();
    equal(pair.requests.map(({ name }) => name), ["a", "b", "c", "unasked@example.com"]);
    equal([pair.requests[0].data, pair.requests[3].answer], [pattern(3), undefined]);
    const [a, b, c] = pair.requests.map(({ answer }) => answer!);
    c.yes(pattern(8));
    b.no();
    await pair.cross();
    equal(answers, []);
    a.yes();
    a.no();
    await pair.cross();
    equal(answers, [["a", true, 0], ["b", false, 0], ["c", true, 8]]);
  }));

Deno.test("of requests that come at once so many wait, the next ones are refused in their turn, and a flood ends it", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const answers: boolean[] = [];
    const ask = () => pair.client.ask("a", NOTHING, (granted) => answers.push(granted));
    for (let i = 0; i < 300; i++) ask();
    await pair.cross();
    equal([pair.requests.length, answers.length], [256, 0]);
    for (const { answer } of pair.requests.splice(0).reverse()) answer!.yes();
    await pair.cross();
    equal(answers, Array.from({ length: 300 }, (_, i) => i < 256));
    for (let i = 0; i < 256 + 4096; i++) ask();
    await pair.cross();
    equal([pair.requests.length, pair.broken], [256, []]);
    ask();
    await pair.cross();
    equal(pair.broken.map(({ failure }) => failure), ["malformed"]);
  }));

Deno.test("what came together for one channel is handed over as one piece, and not beyond what came in between", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const ends = [await pair.opened(), await pair.opened()], pieces: [number, Uint8Array][] = [];
    const joints = ends.map(([, far], i) => {
      const joint = far.joint!();
      joint.join({
        take: (bytes, at, size) => void pieces.push([i, bytes.slice(at, at + size)]),
        flush: () => {},
        room: () => {},
        end: () => void pieces.push([i, NOTHING]),
        broke: () => {},
      });
      return joint;
    });
    await pair.cross();
    const [a, b] = ends.map(([near]) => near),
      send = (stream: Stream, n: number) => stream.write(pattern(50, n));
    for (const [stream, n] of [[a, 1], [a, 2], [b, 3], [a, 4], [a, 5]] as const) await send(stream, n);
    await a.closeWrite();
    for (const n of [6, 7]) await send(b, n);
    await pair.cross();
    const all = (i: number) => pieces.filter(([of]) => of === i).flatMap(([, piece]) => [...piece]);
    const sent = (...seeds: number[]) => seeds.flatMap((n) => [...pattern(50, n)]);
    equal([all(0), all(1)], [sent(1, 2, 4, 5), sent(3, 6, 7)]);
    equal(pieces.map(([i, { length }]) => [i, length]), [
      ...[[0, 100], [1, 50], [0, 100], [0, 0], [1, 100]],
    ]);
    for (const joint of joints) joint.abort({ failure: "internal" } as GateError);
    await pair.cross();
  }));

Deno.test("requests of channels are answered in order too, and refused where nobody takes them", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const answers: unknown[] = [], taken: Answer[] = [], near = pair.client.open("session", NOTHING);
    await pair.cross();
    pair.openings[0].accept({
      request: (name, from, answer) => {
        equal([name, from.text()], ["exec", "ls"]);
        if (answer) taken.push(answer);
      },
    });
    await pair.cross();
    for (const name of ["first", "second"]) {
      near.request("exec", encoded((to) => to.text("ls")), (granted) => answers.push([name, granted]));
    }
    near.request("exec", encoded((to) => to.text("ls")));
    await pair.cross();
    taken[1].yes();
    taken[0].no();
    await pair.cross();
    equal(answers, [["first", false], ["second", true]]);
    const [other] = [pair.client.open("session", NOTHING)];
    await pair.cross();
    pair.openings[1].accept();
    await pair.cross();
    other.request("shell", NOTHING, (granted) => answers.push(granted));
    await pair.cross();
    equal(answers.at(-1), false);
  }));

Deno.test("extended data is shown by its kind, and its window given back", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    const shown: unknown[] = [];
    const near = pair.client.open("session", NOTHING);
    await pair.cross();
    pair.openings[0].accept({
      extended: (kind, bytes, at, size) => shown.push([kind, bytes.slice(at, at + size)]),
    });
    await pair.cross();
    const flood = pattern(30_000);
    for (let i = 0; i < 100; i++) await pair.raw(numbers.EXTENDED_DATA, near.peer, 1, flood.length, flood);
    equal(shown.length, 100);
    equal(shown[0], [1, flood]);
    equal(pair.broken, []);
  }));

Deno.test("more channels than there may be are refused, and ours throw", () =>
  onLoop(async () => {
    using pair = await Pair.make();
    for (let i = 0; i < MOST; i++) pair.client.open("x", NOTHING);
    throws(() => pair.client.open("x", NOTHING), /Cannot open a channel to the server: 10 are open/);
    await pair.cross();
    pair.bridge.client.transport.above = new Observer(); // which has no rules
    for (let i = 0; i < 5000; i++) {
      pair.bridge.client.transport.send(
        encoded((to) => to.byte(numbers.CHANNEL_OPEN).text("x").uint32(77).uint32(1000).uint32(1000)),
      );
    }
    await pair.cross();
    equal([pair.openings.length, pair.server.channels, pair.broken], [MOST, MOST, []]);
    pair.openings[0].refuse(1, "no");
    await pair.raw(numbers.CHANNEL_OPEN, "x", 78, 1000, 1000);
    equal([pair.openings.length, pair.server.channels], [MOST + 1, MOST]);
  }));

/** What breaks the rules; the channel's number with the server is given. */
const BROKEN: Readonly<Record<string, (pair: Pair, channel: number) => Promise<unknown>>> = {
  "data of no channel": (pair) => pair.raw(numbers.CHANNEL_DATA, 999, "x"),
  "more data than the window": async (pair, channel) => {
    for (let i = 0; i <= FIRST_WINDOW / 32768; i++) {
      await pair.raw(numbers.CHANNEL_DATA, channel, 32768, pattern(32768));
    }
  },
  "a length that is another": (pair, channel) => pair.raw(numbers.CHANNEL_DATA, channel, 5, pattern(4)),
  "data that is cut short": (pair, channel) => pair.raw(numbers.CHANNEL_DATA, channel),
  "a window that overflows": async (pair, channel) => {
    await pair.raw(numbers.WINDOW_ADJUST, channel, 0xffffffff);
    await pair.raw(numbers.WINDOW_ADJUST, channel, 0xffffffff);
  },
  "data behind its end": async (pair, channel) => {
    await pair.raw(numbers.CHANNEL_EOF, channel);
    await pair.raw(numbers.CHANNEL_DATA, channel, "x");
  },
  "two ends": async (pair, channel) => {
    await pair.raw(numbers.CHANNEL_EOF, channel);
    await pair.raw(numbers.CHANNEL_EOF, channel);
  },
  "a message behind its close": async (pair, channel) => {
    await pair.raw(numbers.CHANNEL_CLOSE, channel);
    await pair.raw(numbers.CHANNEL_CLOSE, channel);
  },
  "a confirmation of what is open": (pair, channel) => pair.raw(numbers.OPEN_CONFIRMATION, channel, 1, 1, 1),
  "an answer to no global request": (pair) => pair.raw(numbers.REQUEST_SUCCESS),
  "an answer to no request": (pair, channel) => pair.raw(numbers.CHANNEL_SUCCESS, channel),
  "a request for a channel of no bytes": (pair) => pair.raw(numbers.CHANNEL_OPEN, "x", 1, 1, 0),
  "a flood of requests": async (pair) => {
    for (let i = 0; i < 4400; i++) pair.client.ask("x", NOTHING, () => {});
    await pair.cross();
  },
};

for (const [what, act] of Object.entries(BROKEN)) {
  Deno.test(`${what} ends the connection as malformed`, () =>
    onLoop(async () => {
      using pair = await Pair.make();
      const near = pair.client.open("x", NOTHING);
      await pair.cross();
      const far = pair.openings[0].accept();
      await pair.cross();
      await act(pair, near.peer);
      equal(pair.broken.map(({ failure }) => failure), ["malformed"]);
      const written = Promise.resolve().then(() => far.stream.write(pattern(1)));
      const reason = await written.then(() => undefined, (thrown: GateError) => thrown.failure);
      ok(reason === "malformed" || reason === "reset", `${reason}`);
      equal(pair.server.channels, 0);
    }));
}

Deno.test("random messages give nothing but a clean disconnect", () =>
  onLoop(async () => {
    const message = fc.tuple(
      fc.integer({ min: 80, max: 101 }),
      fc.array(
        fc.oneof(fc.nat(3), fc.nat(0xffffffff), fc.string({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 })),
        { maxLength: 5 },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
        using pair = await Pair.make();
        await pair.opened();
        for (const [number, words] of messages) await pair.raw(number, ...words);
        for (const opening of pair.openings.slice(1)) {
          if (pair.broken.length === 0) opening.refuse(4, "no");
        }
        ok(
          pair.broken.every(({ failure }) => failure === "malformed" || failure === "closed"),
          pair.broken[0]?.message,
        );
      }),
      { numRuns: 150 },
    );
    await pause(0);
  }));
