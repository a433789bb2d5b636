/** Peers that break what they began: nothing but a clean disconnect, everything made is freed. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { liveAgreements } from "../../../gate/engine/openssl_agreement.ts";
import { liveCiphers } from "../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { SigningKey } from "../../../gate/engine/openssl_keys.ts";
import type { KexInit } from "../../../protocols/ssh/kexinit.ts";
import { hostKeyOf } from "../../../protocols/ssh/host_key.ts";
import * as numbers from "../../../protocols/ssh/numbers.ts";
import { HEADER, plainSealer } from "../../../protocols/ssh/protection/protection.ts";
import { Transport } from "../../../protocols/ssh/transport.ts";
import { encoded, uint32At } from "../../../protocols/ssh/wire.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";
import { believing, Bridge, makeHostKey } from "../../support/ssh_transport.ts";

openssl(); // the library stays: no test is to be blamed for it

const nothingIsLeft = () => equal([liveCiphers.count, liveAgreements.count], [0, 0]);
const text = (line: string) => new TextEncoder().encode(line);

/** A packet in clear, as before the first keys. */
function plain(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + plainSealer.overhead);
  bytes.set(payload, HEADER);
  return bytes.slice(0, plainSealer.seal(bytes, 0, payload.length, 0));
}

const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Where the packets in clear begin, of which the bytes of one end consist. */
function* packetsIn(bytes: Uint8Array): Generator<{ at: number; size: number; number: number }> {
  for (let at = 0; at + HEADER < bytes.length;) {
    const size = 4 + uint32At(bytes, at);
    yield { at, size, number: bytes[at + HEADER] };
    at += size;
  }
}

/** Puts packets in clear in front of the one of this number, or behind it. */
function insert(bytes: Uint8Array, number: number, packets: Uint8Array, behind = false): Uint8Array {
  if (bytes[0] === 83) { // the version line, by itself or with packets
    const line = bytes.indexOf(10) + 1;
    return joined(bytes.subarray(0, line), insert(bytes.subarray(line), number, packets, behind));
  }
  for (const packet of packetsIn(bytes)) {
    if (packet.number !== number) continue;
    const at = packet.at + (behind ? packet.size : 0);
    return joined(bytes.subarray(0, at), packets, bytes.subarray(at));
  }
  return bytes;
}

const failures = (bridge: Bridge) => ({
  server: bridge.server.above.broken.map(({ failure }) => failure),
  client: bridge.client.above.broken.map(({ failure }) => failure),
});

Deno.test("a forged signature ends it: of another key, of other data, or of none", () =>
  onLoop(async () => {
    for (const algorithm of ["ssh-ed25519", "ecdsa-sha2-nistp256"] as const) {
      const key = makeHostKey(algorithm), other = makeHostKey(algorithm);
      const forgers = [
        { ...key, sign: other.sign }, // has not got the key
        { ...key, sign: (data: Uint8Array) => key.sign(data.with(0, data[0] ^ 1)) }, // replays one
        { ...key, sign: (data: Uint8Array) => key.sign(data).slice(0, -1) },
        { ...key, sign: (data: Uint8Array) => key.sign(data).with(-1, key.sign(data).at(-1)! ^ 1) },
        { ...key, sign: () => new Uint8Array(0) },
        { ...key, sign: () => pattern(83) },
        other, // is somebody else
      ];
      for (const forger of forgers) {
        using bridge = new Bridge({ hostKeys: [forger] }, { trust: believing(key) });
        await bridge.cross();
        equal(failures(bridge), { server: ["closed"], client: ["refused"] });
        ok(/\(9, "host key not verifiable"\)/.test(bridge.server.above.broken[0].message));
        equal(bridge.client.above.facts, undefined);
        bridge.close();
        nothingIsLeft();
      }
    }
  }));

Deno.test("a bit that is another, a packet twice, and a packet left out each end it, under every cipher", () =>
  onLoop(async () => {
    const ways: Readonly<Record<string, (packets: Uint8Array[]) => Uint8Array[]>> = {
      "one bit": ([first, ...rest]) => [first.with(20, first[20] ^ 8), ...rest],
      "the MAC": ([first, ...rest]) => [first.with(-1, first.at(-1)! ^ 1), ...rest],
      "a replay": ([first, second]) => [first, first, second],
      "one left out": ([, second]) => [second],
      "out of order": ([first, second]) => [second, first],
    };
    for (const cipher of ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"]) {
      for (const mac of cipher === "aes128-ctr" ? ["hmac-sha2-256", "hmac-sha2-256-etm@openssh.com"] : [""]) {
        const narrow = (offer: KexInit): KexInit => ({
          ...offer,
          up: { ...offer.up, ciphers: [cipher], macs: [mac || "hmac-sha2-256"] },
        });
        for (const [way, change] of Object.entries(ways)) {
          using bridge = new Bridge({}, { narrow });
          ok(await bridge.secure());
          const packets = [1, 2].map((seed) => {
            bridge.client.transport.send(Uint8Array.of(94, ...pattern(60, seed)));
            return bridge.client.joint.drain();
          });
          for (const packet of change(packets)) bridge.server.joint.give(packet);
          await bridge.cross();
          equal(failures(bridge).server, ["malformed"], `${cipher} ${mac}: ${way}`);
          ok(bridge.server.above.messages.length <= 1);
          bridge.close();
          nothingIsLeft();
        }
      }
    }
  }));

/** Without the mark of the strict rules. */
const lax = (offer: KexInit): KexInit => ({
  ...offer,
  exchanges: offer.exchanges.filter((name) => !name.startsWith("kex-strict")),
  up: { ...offer.up, ciphers: ["chacha20-poly1305@openssh.com"] },
  down: { ...offer.down, ciphers: ["chacha20-poly1305@openssh.com"] },
});
const chacha = (offer: KexInit): KexInit => ({ ...lax(offer), exchanges: offer.exchanges });

/** Terrapin: one packet more before the keys, so that the first one under them, EXT_INFO, can be left out. */
function terrapin(bridge: Bridge): void {
  bridge.tamper = (bytes, from) => {
    if (from === "client") return bytes;
    const more = insert(bytes, numbers.KEX_REPLY, plain(Uint8Array.of(numbers.IGNORE, 0, 0, 0, 0)));
    for (const { at, size, number } of packetsIn(more)) {
      if (number !== numbers.NEWKEYS) continue;
      return more.slice(0, at + size); // EXT_INFO is all that is behind it
    }
    return more;
  };
}

Deno.test("a sequence that is cut off at its beginning (Terrapin) ends it; without the strict rules nobody would know", () =>
  onLoop(async () => {
    const extensions = { signatureAlgorithms: ["ssh-ed25519"] };
    using strict = new Bridge(extensions, { narrow: chacha });
    terrapin(strict);
    await strict.cross();
    equal(failures(strict).client, ["malformed"]);
    equal(strict.client.above.facts, undefined);
    using blind = new Bridge({ ...extensions, narrow: lax }, { narrow: lax });
    terrapin(blind);
    ok(await blind.secure(), "the attack does what it should");
    equal(blind.client.transport.extensions.size, 0);
    using whole = new Bridge({ ...extensions, narrow: lax }, { narrow: lax });
    ok(await whole.secure());
    equal(whole.client.transport.extensions.size, 2);
    for (const bridge of [strict, blind, whole]) bridge.close();
    nothingIsLeft();
  }));

Deno.test("under the strict rules KEXINIT is the first packet, and nothing stands between it and the keys", () =>
  onLoop(async () => {
    const ignored = plain(Uint8Array.of(numbers.IGNORE, 0, 0, 0, 0));
    for (const [who, before] of [["server", "client"], ["client", "server"]] as const) {
      for (
        const number of [
          numbers.KEXINIT,
          who === "server" ? numbers.KEX_REPLY : numbers.KEX_SHARE,
          numbers.NEWKEYS,
        ]
      ) {
        using bridge = new Bridge();
        bridge.tamper = (bytes, from) => from === who ? insert(bytes, number, ignored) : bytes;
        await bridge.cross();
        equal(failures(bridge)[before], ["malformed"], `of the ${who} before ${number}`);
        bridge.close();
        nothingIsLeft();
      }
    }
  }));

Deno.test("without them a few such packets are nothing, and a flood of them ends it", () =>
  onLoop(async () => {
    const ignored = plain(Uint8Array.of(numbers.IGNORE, 0, 0, 0, 0));
    const debug = plain(encoded((to) => to.byte(numbers.DEBUG).boolean(true).text("hello").text("")));
    using bridge = new Bridge({}, { narrow: (offer) => ({ ...lax(offer), up: offer.up, down: offer.down }) });
    bridge.tamper = (bytes, from) =>
      from === "client" ? insert(bytes, numbers.KEXINIT, joined(ignored, debug)) : bytes;
    ok(await bridge.secure());
    using flooded = new Bridge();
    flooded.server.joint.give(text("SSH-2.0-flood\r\n"));
    const flood = joined(...Array.from({ length: 500 }, () => ignored));
    for (let i = 0; i < 30 && flooded.server.above.broken.length === 0; i++) flooded.server.joint.give(flood);
    equal(failures(flooded).server, ["malformed"]);
    for (const each of [bridge, flooded]) each.close();
    nothingIsLeft();
  }));

Deno.test("a guess that is wrong is skipped, one that is right is taken (RFC 4253 7.1)", () =>
  onLoop(async () => {
    const guess = plain(encoded((to) => to.byte(numbers.KEX_SHARE).string(pattern(65))));
    const wrong = (offer: KexInit): KexInit => ({
      ...offer,
      exchanges: ["ecdh-sha2-nistp256", ...offer.exchanges],
      guesses: true,
    });
    using skipped = new Bridge({}, { narrow: wrong });
    skipped.tamper = (bytes, from) => from === "client" ? insert(bytes, numbers.KEXINIT, guess, true) : bytes;
    ok(await skipped.secure());
    equal(skipped.server.above.facts!.agreed.exchange, "ecdh-sha2-nistp256");
    using taken = new Bridge({}, { narrow: (offer) => ({ ...offer, guesses: true }) });
    ok(await taken.secure());
    using missing = new Bridge({}, { narrow: wrong }); // its share is taken for the guess
    ok(!await missing.secure());
    using unasked = new Bridge(); // a second share
    unasked.tamper = (bytes, from) => from === "client" ? insert(bytes, numbers.KEXINIT, guess, true) : bytes;
    ok(!await unasked.secure());
    equal(failures(unasked).server, ["malformed"]);
    for (const bridge of [skipped, taken, missing, unasked]) bridge.close();
    nothingIsLeft();
  }));

Deno.test("messages out of turn end it, before the keys and after", () =>
  onLoop(async () => {
    for (const number of [0, 5, 6, 7, 8, 21, 30, 31, 49, 50, 80, 94, 192, 255]) {
      using bridge = new Bridge();
      bridge.server.joint.give(text("SSH-2.0-early\r\n"));
      bridge.server.joint.give(plain(Uint8Array.of(number, 0, 0, 0, 0)));
      await pause(0);
      equal(failures(bridge).server, ["malformed"], `message ${number}`);
      bridge.close();
    }
    for (const number of [21, 30, 31, 40, 50, 94]) { // before there is a service
      using bridge = new Bridge();
      await bridge.cross();
      bridge.client.transport.send(Uint8Array.of(number, 0, 0, 0, 0));
      if (number >= 50) bridge.client.transport.requestService("ssh-userauth");
      await bridge.cross();
      equal(failures(bridge).server, ["malformed"], `message ${number}`);
      bridge.close();
    }
    nothingIsLeft();
  }));

Deno.test("behind its KEXINIT a peer may send nothing of what is above before its NEWKEYS", () =>
  onLoop(async () => {
    for (
      const [number, failure] of [[numbers.IGNORE, []], [numbers.PING, ["malformed"]], [94, [
        "malformed",
      ]]] as const
    ) {
      using bridge = new Bridge();
      ok(await bridge.secure());
      const { transport, joint } = bridge.client;
      transport.rekey();
      bridge.server.joint.give(joint.drain());
      bridge.server.joint.drain(); // its KEXINIT is still on its way
      sealNow(transport, Uint8Array.of(number, 0, 0, 0, 0));
      bridge.server.joint.give(joint.drain());
      equal(failures(bridge).server, [...failure], `message ${number}`);
      bridge.close();
      nothingIsLeft();
    }
  }));

/** What a transport would keep back, as a peer that does not. */
function sealNow(transport: Transport, payload: Uint8Array): void {
  const blocked = Object.getOwnPropertyDescriptor(Transport.prototype, "blocked")!;
  Object.defineProperty(transport, "blocked", { configurable: true, get: () => false });
  const room = transport.reserve(payload.length, payload.length)!;
  room.bytes.set(payload, room.at[0]);
  transport.commit(payload.length);
  Object.defineProperty(transport, "blocked", blocked);
}

/** How far a bridge got before something random comes. */
const STAGES: Readonly<Record<string, (bridge: Bridge) => Promise<unknown>>> = {
  "the beginning": () => Promise.resolve(),
  "the version": (bridge) => {
    for (const { joint } of [bridge.server, bridge.client]) joint.give(text("SSH-2.0-x\r\n"));
    return Promise.resolve();
  },
  "the keys": (bridge) => bridge.cross(),
  "the service": (bridge) => bridge.secure(),
};

for (const [stage, reach] of Object.entries(STAGES)) {
  Deno.test(`random bytes behind ${stage} give nothing but a clean disconnect`, () =>
    onLoop(async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom("server", "client"),
          fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 }),
          async (who, parts) => {
            using bridge = new Bridge();
            await reach(bridge);
            const { joint, transport } = bridge[who as "server" | "client"];
            for (const part of parts) if (!transport.isOver) joint.give(part);
            await pause(0);
            const { broken } = bridge[who as "server" | "client"].above;
            ok(
              broken.every(({ failure }) => ["malformed", "unsupported", "closed"].includes(failure)),
              broken[0]?.message,
            );
            bridge.close();
            nothingIsLeft();
          },
        ),
        { numRuns: 60 },
      );
    }));
}

for (const stage of ["the version", "the keys", "the service"]) {
  Deno.test(`random packets behind ${stage} give nothing but a clean disconnect`, () =>
    onLoop(async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom("server", "client"),
          fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 200 })), { minLength: 1, maxLength: 6 }),
          async (who, packets) => {
            using bridge = new Bridge();
            await STAGES[stage](bridge);
            const [from, to] = who === "server"
              ? [bridge.client, bridge.server]
              : [bridge.server, bridge.client];
            for (const [number, rest] of packets) {
              const payload = Uint8Array.of(number, ...rest);
              if (to.transport.isOver) break;
              if (stage === "the version") to.joint.give(plain(payload));
              else from.transport.send(payload);
              await bridge.cross();
            }
            const { broken } = to.above;
            ok(
              broken.every(({ failure }) => ["malformed", "unsupported", "closed"].includes(failure)),
              broken[0]?.message,
            );
            bridge.close();
            nothingIsLeft();
          },
        ),
        { numRuns: 80 },
      );
    }));
}

Deno.test("mutated handshakes end, or come to keys, and never to a mistake of ours", () =>
  onLoop(async () => {
    const change = fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("server", "client"),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (who, changes) => {
          using bridge = new Bridge();
          let at = 0;
          bridge.tamper = (bytes, from) => {
            if (from !== who) return bytes;
            const broken = bytes.slice();
            for (const [place, value] of changes) {
              if (place >= at && place < at + bytes.length) broken[place - at] ^= value;
            }
            at += bytes.length;
            return broken;
          };
          await bridge.secure();
          for (const { above } of [bridge.server, bridge.client]) {
            ok(above.broken.every(({ failure }) => failure !== "internal"), above.broken[0]?.message);
          }
          bridge.close();
          nothingIsLeft();
        },
      ),
      { numRuns: 150 },
    );
  }));

Deno.test("an RSA key signs for no host of ours: it would hold the engine for milliseconds", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  using key = new SigningKey(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })));
  for (const name of ["rsa-sha2-512", "ssh-rsa", "unknown"]) {
    throws(() => hostKeyOf(name, new Uint8Array(0), key), /Cannot sign as a host: not by/);
  }
});
