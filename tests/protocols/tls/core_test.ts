/** The layer between two loose joints: bytes cross when the test says so, in pieces of its choice. */
import type { Stream } from "../../../gate/streams.ts";
import { liveConnections } from "../../../gate/engine/openssl.ts";
import { acceptTls, connectTls, type Secured } from "../../../protocols/tls/secure.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { LooseJoint } from "../../support/loose_joint.ts";
import { readAll, readExactly } from "../../support/memory_stream.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { client, NAME, PATIENCE, server } from "../../support/tls_pairs.ts";

/** Both ends' lower joints; `cross` carries what was committed, in pieces of so many bytes, until nothing moves. */
class Bridge {
  readonly near = new LooseJoint();
  readonly far = new LooseJoint();
  given = new Map<LooseJoint, number>([[this.near, 0], [this.far, 0]]);

  async cross(piece: number): Promise<void> {
    for (let idle = 0; idle < 3;) {
      const moved = this.#carry(this.near, this.far, piece) + this.#carry(this.far, this.near, piece);
      await pause(0); // continuations, and handshakes that waited for a turn
      idle = moved > 0 ? 0 : idle + 1;
    }
  }

  /** A handshake across. */
  async secure(piece: number): Promise<[Secured, Secured]> {
    const both = Promise.all([
      connectTls(streamOver(this.near), client, NAME, PATIENCE),
      acceptTls(streamOver(this.far), server, PATIENCE),
    ]);
    await pause(0);
    await this.cross(piece);
    return await both;
  }

  #carry(from: LooseJoint, to: LooseJoint, piece: number): number {
    const bytes = from.drain();
    this.given.set(to, this.given.get(to)! + bytes.length);
    for (let at = 0; at < bytes.length; at += piece) to.give(bytes.slice(at, at + piece));
    if (bytes.length === 0 && from.ended) to.taker!.end();
    return bytes.length;
  }
}

const streamOver = (joint: LooseJoint) => ({ joint: () => joint }) as unknown as Stream;

for (const piece of [1, 2, 5, 1000, 300_000]) {
  Deno.test(`handshakes, records and ends that come ${piece} bytes at a time are the same`, () =>
    onLoop(async () => {
      const bridge = new Bridge(), [a, b] = await bridge.secure(piece);
      const up = pattern(40_000, 1), down = pattern(20_000, 2);
      await a.stream.write(up);
      await b.stream.write(down);
      await a.stream.closeWrite();
      await bridge.cross(piece);
      equal(await readAll(b.stream), up);
      equal(await readExactly(a.stream, down.length), down);
      for (const joint of [bridge.near, bridge.far]) equal(joint.delivery, bridge.given.get(joint));
      await b.stream.closeWrite();
      await bridge.cross(piece);
      equal(await readAll(a.stream), new Uint8Array(0));
      ok(bridge.near.ended && bridge.far.ended && !bridge.near.aborted && !bridge.far.aborted);
      equal(liveConnections.count, 0);
    }));
}

Deno.test("what finds no room below is kept in order, closes the room above, and FIN goes behind it", () =>
  onLoop(async () => {
    const bridge = new Bridge(), [a, b] = await bridge.secure(1 << 20);
    const sent = pattern(50_000, 3);
    bridge.near.capacity = 20_000;
    let over = false;
    const written = Promise.resolve(a.stream.write(sent)).then(() => a.stream.closeWrite()).then(() =>
      over = true
    );
    while (!over) {
      await bridge.cross(1 << 20);
      bridge.near.capacity = 777;
      bridge.near.taker!.room();
    }
    await written;
    bridge.near.capacity = Infinity;
    bridge.near.taker!.room(); // a joint to which somebody commits behind its end throws
    ok(bridge.near.ended);
    await bridge.cross(1 << 20);
    equal(await readAll(b.stream), sent);
    b.stream[Symbol.dispose]();
    await bridge.cross(1 << 20);
    equal(liveConnections.count, 0);
  }));

Deno.test("an alert that finds no room is not waited for: the stream below is reset", () =>
  onLoop(async () => {
    const bridge = new Bridge(), [a, b] = await bridge.secure(1 << 20);
    bridge.far.capacity = 0;
    bridge.far.give(Uint8Array.of(23, 3, 3, 0, 40, ...pattern(40)));
    await fails(b.stream.read(new Uint8Array(1)), "malformed");
    equal(bridge.far.aborted?.failure, "malformed");
    bridge.near.taker!.broke(bridge.far.aborted!);
    await fails(a.stream.read(new Uint8Array(1)), "malformed");
    equal(liveConnections.count, 0);
  }));

Deno.test("bytes behind close_notify are thrown away, and their window given back", () =>
  onLoop(async () => {
    const bridge = new Bridge(), [a, b] = await bridge.secure(1 << 20);
    await a.stream.closeWrite();
    await bridge.cross(1 << 20);
    const before = bridge.far.delivery;
    bridge.far.give(pattern(5000));
    equal(bridge.far.delivery - before, 5000);
    equal(await readAll(b.stream), new Uint8Array(0));
    await b.stream.write(pattern(10));
    await b.stream.closeWrite();
    await bridge.cross(1 << 20);
    equal(await readAll(a.stream), pattern(10));
    equal(liveConnections.count, 0);
  }));
