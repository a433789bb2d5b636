/** Keys that are changed: by either side, by bytes and by time, while much is under way, and by who overdoes it. */
import { liveAgreements } from "../../../gate/engine/openssl_agreement.ts";
import { liveCiphers } from "../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import type { KexInit } from "../../../protocols/ssh/kexinit.ts";
import { Rekeying } from "../../../protocols/ssh/rekeying.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { Bridge, type End } from "../../support/ssh_transport.ts";

openssl(); // the library stays: no test is to be blamed for it

const HOUR = 3_600_000;
const message = (seed: number, size: number) => Uint8Array.of(94, ...pattern(size, seed));
const nothingIsLeft = () => equal([liveCiphers.count, liveAgreements.count], [0, 0]);

/** Sends as much of the messages as there is room for, and goes on when there is again. */
class Pump {
  sent = 0;

  constructor(readonly end: End, readonly messages: readonly Uint8Array[]) {
    end.above.onRoom = () => this.go();
    this.go();
  }

  go(): void {
    for (; this.sent < this.messages.length; this.sent++) {
      const payload = this.messages[this.sent],
        room = this.end.transport.reserve(payload.length, payload.length);
      if (!room) return;
      room.bytes.set(payload, room.at[0]);
      this.end.transport.commit(payload.length);
    }
  }
}

for (const who of ["client", "server", "both"] as const) {
  Deno.test(`keys that ${who === "both" ? "both sides change" : `the ${who} changes`} by bytes lose nothing of what is under way`, () =>
    onLoop(async () => {
      for (const cipher of ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"]) {
        const life = { keyLife: { bytes: 40_000, time: HOUR } };
        const narrow = (offer: KexInit): KexInit => ({
          ...offer,
          up: { ...offer.up, ciphers: [cipher] },
          down: { ...offer.down, ciphers: [cipher] },
        });
        using bridge = new Bridge(who === "client" ? {} : life, {
          ...(who === "server" ? {} : life),
          narrow,
        });
        ok(await bridge.secure());
        const session = bridge.client.above.facts!.session;
        let changes = 0;
        const { transport } = bridge.client, open = transport.openWith.bind(transport);
        transport.openWith = (opener, anew) => {
          changes++;
          open(opener, anew);
        };
        const messages = Array.from({ length: 60 }, (_, i) => message(i, 1 + i * 97 % 9000));
        const ends = [bridge.client, bridge.server];
        for (const { joint } of ends) joint.capacity = 0;
        const pumps = ends.map((end) => new Pump(end, messages));
        for (let i = 0; i < 500 && ends.some(({ above }) => above.messages.length < messages.length); i++) {
          for (const { joint } of ends) {
            joint.capacity = 12_000; // of a kernel that takes some now and then
            joint.taker!.room();
          }
          await bridge.cross(5000);
        }
        equal(pumps.map(({ sent }) => sent), [messages.length, messages.length]);
        for (const { joint } of ends) joint.capacity = Infinity;
        for (const { above } of [bridge.client, bridge.server]) {
          equal(above.broken, []);
          equal(above.messages, messages);
        }
        equal(bridge.server.above.facts!.session, session);
        ok(changes >= 3, `keys were changed ${changes} times`);
        bridge.close();
      }
      nothingIsLeft();
    }));
}

Deno.test("keys are changed when their time is over and something moves, and not before", () =>
  onLoop(async () => {
    using bridge = new Bridge({}, { keyLife: { bytes: 2 ** 30, time: 60 } });
    ok(await bridge.secure());
    const before = bridge.crossed.server;
    bridge.client.transport.send(message(1, 5));
    await bridge.cross();
    equal(bridge.crossed.server, before);
    await pause(80);
    equal(bridge.client.joint.sent.length, 0, "an idle connection keeps its keys");
    bridge.client.transport.send(message(2, 5));
    put(bridge.client, message(3, 5));
    await bridge.cross();
    ok(bridge.crossed.server > before + 100, "a KEXINIT and a share");
    equal(bridge.server.above.messages.length, 3);
    bridge.close();
  }));

function put({ transport }: End, payload: Uint8Array): void {
  const room = transport.reserve(payload.length, payload.length)!;
  room.bytes.set(payload, room.at[0]);
  transport.commit(payload.length);
}

Deno.test("both may begin at once, and messages of both wait for the end in order", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    bridge.client.transport.rekey();
    bridge.server.transport.rekey();
    bridge.client.transport.rekey();
    const messages = [message(1, 10), message(2, 20), message(3, 30)];
    for (const each of messages) {
      bridge.client.transport.send(each);
      bridge.server.transport.send(each);
    }
    for (const { transport } of [bridge.client, bridge.server]) equal(transport.reserve(1), undefined);
    await bridge.cross(33);
    for (const { above } of [bridge.client, bridge.server]) {
      equal([above.messages, above.broken], [messages, []]);
      ok(above.rooms > 0);
    }
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("who makes us answer without end during its key exchange is cut", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    bridge.server.transport.rekey();
    for (let i = 0; i < 40; i++) bridge.server.transport.send(message(i, 30_000));
    await pause(0);
    equal(bridge.server.above.broken.map(({ failure }) => failure), ["exhausted"]);
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("a peer that changes keys again and again is cut, and one that carries much between is not", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    let changes = 0;
    for (; changes < 100 && bridge.server.above.broken.length === 0; changes++) {
      bridge.client.transport.rekey();
      await bridge.cross();
    }
    equal(bridge.server.above.broken.map(({ failure }) => failure), ["exhausted"]);
    ok(changes >= 16 && changes < 30, `${changes} changes`);
    nothingIsLeft();
    const rekeying = new Rekeying("client");
    for (let i = 0; i < 1000; i++) rekeying.asked(2 ** 20);
    for (let i = 0; i < 16; i++) rekeying.asked(100);
    throws(() => rekeying.asked(100), /asks for it too often/);
  }));

Deno.test("a key exchange that the peer leaves in the middle ends the connection in time", () =>
  onLoop(async () => {
    using bridge = new Bridge({ exchangeTimeout: 60 });
    ok(await bridge.secure());
    await pause(80);
    equal(bridge.server.above.broken, [], "the first one is over");
    bridge.server.transport.rekey();
    await pause(120);
    equal(bridge.server.above.broken.map(({ failure }) => failure), ["timeout"]);
    bridge.close();
    nothingIsLeft();
  }));
