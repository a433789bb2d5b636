/** Our client against our server, over every split, under everything that can be agreed on. */
import { liveAgreements } from "../../../gate/engine/openssl_agreement.ts";
import { liveCiphers } from "../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { exchangeNames, prepareHybrid } from "../../../protocols/ssh/kex/exchanges.ts";
import type { KexInit } from "../../../protocols/ssh/kexinit.ts";
import { PING, PONG } from "../../../protocols/ssh/numbers.ts";
import { CIPHERS, MACS } from "../../../protocols/ssh/protection/ciphers.ts";
import { encoded } from "../../../protocols/ssh/wire.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { believing, Bridge, type End, makeHostKey } from "../../support/ssh_transport.ts";

openssl(); // the library stays: no test is to be blamed for it
await prepareHybrid();

/** An offer of these alone. */
const only = (part: { exchange?: string; cipher?: string; mac?: string }) => (offer: KexInit): KexInit => {
  const direction = (of: KexInit["up"]) => ({
    ...of,
    ciphers: part.cipher ? [part.cipher] : of.ciphers,
    macs: part.mac ? [part.mac] : of.macs,
  });
  const marks = offer.exchanges.filter((name) => /ext-info|kex-strict/.test(name));
  const exchanges = part.exchange ? [part.exchange, ...marks] : offer.exchanges;
  return { ...offer, exchanges, up: direction(offer.up), down: direction(offer.down) };
};

const nothingIsLeft = () => equal([liveCiphers.count, liveAgreements.count], [0, 0]);

const message = (number: number, size: number) => Uint8Array.of(number, ...pattern(size, size));

/** Messages both ways, small and large, by whole ones and by places. */
async function talk(bridge: Bridge, piece?: number): Promise<void> {
  const messages = [message(90, 0), message(94, 1), message(94, 5000), message(98, 77), message(94, 32_700)];
  for (const [from, to] of [[bridge.client, bridge.server], [bridge.server, bridge.client]]) {
    const seen = to.above.messages.length;
    for (const [i, each] of messages.entries()) {
      if (i % 2 === 0) put(from, each);
      else from.transport.send(each);
    }
    await bridge.cross(piece);
    equal(to.above.messages.slice(seen), messages);
  }
}

/** Placed where it is sealed. */
function put({ transport }: End, payload: Uint8Array): void {
  const room = transport.reserve(payload.length, payload.length);
  ok(room && room.pieces === 1 && room.size[0] >= payload.length, "no room");
  room.bytes.set(payload, room.at[0]);
  transport.commit(payload.length);
}

for (const exchange of exchangeNames()) {
  Deno.test(`under ${exchange} every cipher and MAC carries messages both ways`, () =>
    onLoop(async () => {
      for (const [cipher, { authenticates }] of Object.entries(CIPHERS)) {
        for (const mac of authenticates ? [""] : Object.keys(MACS)) {
          const narrow = only({ exchange, cipher, mac });
          using bridge = new Bridge({}, { narrow });
          ok(await bridge.secure(), `${cipher} ${mac}`);
          const facts = bridge.client.above.facts!;
          equal(facts.agreed.up, { cipher, mac });
          equal([facts.agreed.exchange, facts.agreed.down.cipher], [exchange, cipher]);
          equal(facts.session, bridge.server.above.facts!.session);
          await talk(bridge);
          bridge.close();
        }
      }
      nothingIsLeft();
    }));
}

for (const piece of [1, 2, 7, 100, 1460, 20_000]) {
  Deno.test(`what comes ${piece} bytes at a time is the same`, () =>
    onLoop(async () => {
      for (const cipher of Object.keys(CIPHERS)) {
        using bridge = new Bridge({}, { narrow: only({ exchange: "curve25519-sha256", cipher }) });
        ok(await bridge.secure(piece));
        await talk(bridge, piece);
        for (const from of ["client", "server"] as const) {
          const to = from === "client" ? bridge.server : bridge.client;
          equal(to.joint.delivery, bridge.crossed[from], "what was used up is given back");
        }
        bridge.close();
      }
      nothingIsLeft();
    }));
}

Deno.test("a crowd that comes at once is served turn by turn, and everybody comes to the service", () =>
  onLoop(async () => {
    const bridges = Array.from({ length: 40 }, () => new Bridge());
    const secured = await Promise.all(bridges.map(async (bridge) => {
      for (let i = 0; i < 500 && !bridge.client.above.facts; i++) await bridge.cross();
      return await bridge.secure();
    }));
    equal(secured.filter((good) => good).length, bridges.length);
    for (const bridge of bridges) bridge.close();
    nothingIsLeft();
  }));

Deno.test("every host key signs, and the client believes the one it knows", () =>
  onLoop(async () => {
    for (const algorithm of ["ecdsa-sha2-nistp256", "ssh-ed25519"] as const) {
      const key = makeHostKey(algorithm),
        other = makeHostKey(algorithm === "ssh-ed25519" ? "ecdsa-sha2-nistp256" : "ssh-ed25519");
      using bridge = new Bridge({ hostKeys: [other, key] }, { trust: believing(key) });
      ok(await bridge.secure());
      equal(bridge.client.above.facts!.agreed.hostKey, algorithm);
      bridge.close();
    }
    nothingIsLeft();
  }));

Deno.test("what the server takes of its users' signatures is told behind the first keys, and pings are answered", () =>
  onLoop(async () => {
    using bridge = new Bridge({ signatureAlgorithms: ["ssh-ed25519", "rsa-sha2-512"] });
    ok(await bridge.secure());
    equal(bridge.client.transport.extensions.get("server-sig-algs"), "ssh-ed25519,rsa-sha2-512");
    equal(bridge.client.transport.extensions.get("ping@openssh.com"), "0");
    const data = pattern(300);
    bridge.client.transport.send(encoded((to) => to.byte(PING).string(data)));
    await bridge.cross();
    equal(bridge.client.above.messages, [encoded((to) => to.byte(PONG).string(data))]);
    bridge.close();
  }));

Deno.test("a ping as long as a packet may be is answered, and a broken one ends it", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    const longest = encoded((to) => to.byte(PING).string(pattern(34_895)));
    bridge.client.transport.send(longest);
    await bridge.cross();
    equal(bridge.client.above.messages.map(({ length }) => length), [longest.length]);
    throws(
      () => bridge.client.transport.send(message(94, 34_900)),
      /Cannot send an SSH message: 34901 bytes/,
    );
    bridge.client.transport.send(Uint8Array.of(PING, 0, 0, 0, 9, 1));
    await bridge.cross();
    equal(bridge.server.above.broken.map(({ failure }) => failure), ["malformed"]);
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("a message that nobody knows is answered with its number in the sequence", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    const answers: string[] = [], { transport } = bridge.server;
    ok(await bridge.secure());
    bridge.server.above.knows = (number) => number === 80;
    const send = transport.send.bind(transport);
    transport.send = (payload) => {
      answers.push(payload.toHex());
      send(payload);
    };
    for (const number of [80, 9, 191, 80, 70]) bridge.client.transport.send(message(number, 3));
    await bridge.cross();
    // Behind the first keys packets are counted from 0, which was the request for a service.
    equal(answers, ["0300000002", "0300000003", "0300000005"]);
    equal(bridge.client.above.broken, []);
    bridge.close();
  }));

Deno.test("a service that is not there ends the connection, and both know why", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    await bridge.cross();
    bridge.client.transport.requestService("ssh-connection");
    await bridge.cross();
    equal(bridge.server.above.broken.map(({ failure }) => failure), ["unsupported"]);
    ok(/disconnected \(7, "no such service"\)/.test(bridge.client.above.broken[0].message));
    nothingIsLeft();
  }));

Deno.test("who disconnects says why, and both sides end in order", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    bridge.client.transport.send(message(94, 10));
    bridge.client.transport.disconnect(11, "had enough\u001b[2J");
    await bridge.cross();
    equal(bridge.server.above.messages.length, 1);
    const [reason] = bridge.server.above.broken;
    equal(reason.failure, "closed");
    ok(/\(11, "had enough \[2J"\)/.test(reason.message), reason.message);
    ok(bridge.client.joint.ended && bridge.server.joint.ended);
    ok(!bridge.client.joint.aborted && !bridge.server.joint.aborted);
    nothingIsLeft();
  }));

Deno.test("a stream that ends in the middle, or is reset, is told to who is above once, and everything is freed", () =>
  onLoop(async () => {
    for (const secured of [false, true]) {
      using bridge = new Bridge();
      if (secured) ok(await bridge.secure());
      bridge.server.joint.taker!.end();
      bridge.client.joint.taker!.broke(bridge.server.above.broken[0]);
      equal(bridge.server.above.broken.map(({ failure }) => failure), ["closed"]);
      equal(bridge.client.above.broken.length, 1);
      bridge.server.joint.taker!.broke(bridge.server.above.broken[0]);
      equal(bridge.server.above.broken.length, 1);
      nothingIsLeft();
    }
  }));

Deno.test("what finds no room below is kept in order and closes the room above", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    const { transport, joint } = bridge.server;
    joint.capacity = 300;
    const messages = Array.from({ length: 20 }, (_, i) => message(94, 50 + i));
    for (const each of messages) transport.send(each);
    ok(transport.blocked);
    equal(transport.reserve(10), undefined);
    while (transport.blocked) {
      joint.capacity = 100;
      joint.taker!.room();
      await bridge.cross();
    }
    ok(bridge.server.above.rooms > 0);
    joint.capacity = Infinity;
    equal(bridge.client.above.messages, messages);
    ok(transport.reserve(10));
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("a peer that does not read what it makes us answer may not send on before it does", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    const { transport, joint } = bridge.server, ping = encoded((to) => to.byte(PING).string(pattern(30_000)));
    let delivered = joint.delivery;
    joint.capacity = 0;
    for (let i = 0; i < 20; i++) {
      bridge.client.transport.send(ping);
      await bridge.cross();
      ok(i > 7 || joint.delivery > delivered, "a little is kept");
      if (i < 10) delivered = joint.delivery;
    }
    equal(joint.delivery, delivered);
    joint.capacity = Infinity;
    joint.taker!.room();
    await bridge.cross();
    equal([joint.delivery, transport.blocked], [bridge.crossed.client, false]);
    equal(bridge.client.above.messages.length, 20);
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("a room in pieces is as good as one, though a packet is made in one piece", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    ok(await bridge.secure());
    const { joint } = bridge.client, reserve = joint.reserve.bind(joint);
    joint.reserve = (most, least) => {
      const room = reserve(most, least);
      if (!room || room.size[0] < 20) return room;
      const [first, rest] = [10, room.size[0] - 10];
      return { bytes: room.bytes, pieces: 2, at: Int32Array.of(0, first), size: Int32Array.of(first, rest) };
    };
    await talk(bridge);
    bridge.close();
  }));

Deno.test("a server waits 100 ms for what its client offers, and no longer", () =>
  onLoop(async () => {
    using bridge = new Bridge();
    const { joint } = bridge.server;
    const versions = joint.drain();
    joint.give(new TextEncoder().encode("SSH-2.0-waits\r\n"));
    equal([versions.length > 0, joint.drain().length], [true, 0]);
    await pause(150);
    ok(joint.drain().length > 0, "its KEXINIT");
    bridge.close();
    nothingIsLeft();
  }));

Deno.test("a key exchange that is not over in time ends the connection", () =>
  onLoop(async () => {
    using bridge = new Bridge({ exchangeTimeout: 50 });
    await pause(120);
    equal(bridge.server.above.broken.map(({ failure, limit }) => [failure, limit]), [[
      "timeout",
      "handshakeTimeout",
    ]]);
    bridge.close();
    nothingIsLeft();
  }));
