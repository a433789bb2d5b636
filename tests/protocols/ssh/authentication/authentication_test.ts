/** User authentication as a server: who gets in, and that nobody else does, whatever he sends. */
import fc from "fast-check";
import { generateKeyPairSync } from "node:crypto";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { SigningKey } from "../../../../gate/engine/openssl_keys.ts";
import { GateError } from "../../../../gate/errors.ts";
import { type HostKey, hostKeyOf } from "../../../../protocols/ssh/host_key.ts";
import {
  CHANNEL_OPEN,
  USERAUTH_BANNER,
  USERAUTH_FAILURE,
  USERAUTH_PK_OK,
  USERAUTH_REQUEST,
  USERAUTH_SUCCESS,
} from "../../../../protocols/ssh/numbers.ts";
import { Forgery } from "../../../../protocols/ssh/keys/fields.ts";
import { encoded, Reader } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";
import { onLoop } from "../../../support/on_loop.ts";
import { byKey, byPassword, LoginBridge, request, TestJudge } from "../../../support/ssh_authentication.ts";
import { makeHostKey } from "../../../support/ssh_transport.ts";

openssl(); // this thread keeps it
const key = makeHostKey(), other = makeHostKey(), p256 = makeHostKey("ecdsa-sha2-nistp256");

/** One of P-384: costly. */
const costly: HostKey = (() => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const octets = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
  const blob = encoded((to) =>
    to.text("ecdsa-sha2-nistp384").text("nistp384").string(Uint8Array.of(4, ...octets(x), ...octets(y)))
  );
  const signing = new SigningKey(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })));
  return hostKeyOf("ecdsa-sha2-nistp384", blob, signing);
})();

const test = (name: string, work: () => Promise<void>) => Deno.test(name, () => onLoop(work));
const signer = (one: HostKey) => (data: Uint8Array) => one.sign(data);
const made = (judge = new TestJudge([key, p256, costly])) => LoginBridge.make(judge);

test("a question for a key is answered, and its signature lets in", async () => {
  for (const one of [key, p256, costly]) {
    using bridge = await made();
    equal(await bridge.ask(request("none")), [USERAUTH_FAILURE]);
    equal(await bridge.ask(byKey(one)), [USERAUTH_PK_OK]);
    equal(await bridge.ask(byKey(one, bridge.session, signer(one))), [USERAUTH_SUCCESS]);
    const [proof] = bridge.judge.welcomed;
    equal([proof.user, proof.grant.by, bridge.judge.failures], ["pi", "a line", 0]);
    equal(bridge.judge.checks.length, one === costly ? 1 : 0);
  }
});

test("what methods there are is told, and nothing of why", async () => {
  using bridge = await made();
  await bridge.ask(request("none"), byKey(other), byPassword("wrong"), request("hostbased"));
  for (const payload of bridge.above.messages) {
    const from = new Reader(payload, 1);
    equal([payload[0], from.nameList(), from.boolean(), from.whole], [
      USERAUTH_FAILURE,
      ["publickey", "password"],
      false,
      true,
    ]);
  }
  equal(bridge.above.messages.length, 4);
});

test("a banner comes once, before the first answer", async () => {
  const judge = new TestJudge([key]);
  judge.banner = "one\ntwo\n";
  using bridge = await made(judge);
  equal(await bridge.ask(request("none"), request("none")), [
    USERAUTH_BANNER,
    USERAUTH_FAILURE,
    USERAUTH_FAILURE,
  ]);
  equal(new Reader(bridge.above.messages[0], 1).text(), "one\r\ntwo\r\n");
});

test("a forged signature lets nobody in, whichever bit of it is another one", async () => {
  for (const one of [key, p256, costly]) {
    using bridge = await made();
    for (const fromEnd of [1, 20, 40]) {
      const forged = byKey(one, bridge.session, (data) => {
        const signature = one.sign(data);
        signature[signature.length - fromEnd] ^= 1;
        return signature;
      });
      equal(await bridge.ask(forged), [USERAUTH_FAILURE]);
    }
    equal([bridge.judge.welcomed.length, bridge.judge.failures], [0, 3]);
  }
});

test("a signature of another connection, another user or another key lets nobody in", async () => {
  using first = await made();
  using second = await made();
  const replayed = byKey(key, first.session, signer(key));
  equal(await first.ask(replayed), [USERAUTH_SUCCESS]);
  equal(await second.ask(replayed), [USERAUTH_FAILURE]);
  const ours = byKey(key, second.session, signer(key));
  const asRoot = encoded((to) =>
    to.byte(USERAUTH_REQUEST).text("root").raw(ours.subarray(1 + 4 + "pi".length))
  );
  equal(await second.ask(asRoot), [USERAUTH_FAILURE]);
  equal(await second.ask(byKey(p256, second.session, signer(key))), [USERAUTH_FAILURE]);
  equal(second.judge.welcomed, []);
});

test("six wrong ones are the last; the log tells as whom, and why", async () => {
  using bridge = await made();
  for (let i = 0; i < 5; i++) equal(await bridge.ask(byPassword("wrong")), [USERAUTH_FAILURE]);
  equal(await bridge.ask(byPassword("wrong"), byPassword("right")), []);
  const [{ failure, side, message }] = bridge.judge.reasons;
  equal([failure, side, message], [
    "unauthenticated",
    "client",
    'Cannot log in as "pi": its token is wrong',
  ]);
  equal([bridge.judge.welcomed.length, bridge.judge.failures, bridge.server.transport.isOver], [0, 6, true]);
});

test("forged certificates are wrong ones: six are the last", async () => {
  const judge = new TestJudge([key]);
  judge.unknown = new Forgery("its authority did not sign it");
  using bridge = await made(judge);
  for (let i = 0; i < 5; i++) equal(await bridge.ask(byKey(other)), [USERAUTH_FAILURE]);
  equal(await bridge.ask(byKey(other)), []);
  equal([judge.failures, bridge.server.transport.isOver], [6, true]);
});

test("who offers keys without end is let go", async () => {
  using bridge = await made();
  for (let i = 0; i < 64; i++) equal(await bridge.ask(byKey(other)), [USERAUTH_FAILURE]);
  equal(await bridge.ask(byKey(other)), []);
  ok(/nobody believes the key; too many requests/.test(bridge.judge.reasons[0].message));
  equal(bridge.judge.failures, 1);
});

test("who offered keys that nobody believes failed once, however it ends", async () => {
  const malformed = request("publickey"), tooEarly = encoded((to) => to.byte(CHANNEL_OPEN));
  for (const last of [malformed, tooEarly, request("none", undefined, "ssh-other")]) {
    using bridge = await made();
    await bridge.ask(byKey(other), byKey(p256), byKey(other), last);
    equal([bridge.judge.reasons.length, bridge.judge.failures], [1, 1]);
  }
});

test("who offered keys that nobody believes, and goes, was refused: the log says why", async () => {
  using bridge = await made();
  await bridge.ask(byKey(other));
  bridge.client.transport.disconnect(14, "no more");
  await bridge.cross();
  const [{ failure, message }] = bridge.judge.reasons;
  equal([failure, message], ["unauthenticated", 'Cannot log in as "pi": nobody believes the key']);
  equal(bridge.judge.failures, 1);
});

test("requests behind one that takes long wait for it, in their order, and not too many do", async () => {
  const judge = new TestJudge([key]), told: ((right: boolean) => void)[] = [];
  judge.verify = () => new Promise((resolve) => told.push(() => resolve(judge.refuses()!)));
  judge.refusal = "no";
  using bridge = await made(judge);
  equal(await bridge.ask(byPassword("x"), request("none"), byKey(key)), []);
  told[0](false);
  await bridge.cross();
  equal(bridge.above.messages.map(([number]) => number), [
    USERAUTH_FAILURE,
    USERAUTH_FAILURE,
    USERAUTH_PK_OK,
  ]);
  equal(await bridge.ask(byPassword("x"), ...Array(9).fill(request("none"))), []);
  equal(bridge.judge.reasons.map(({ failure }) => failure), ["exhausted"]);
  told[1](false); // nobody waits for it any more
  await bridge.cross();
});

test("where nobody can tell now, the connection ends of that, and nobody is in", async () => {
  const judge = new TestJudge([costly]);
  judge.isSigned = () =>
    Promise.reject(new GateError("timeout", "gate", "Cannot ask the main thread: no answer"));
  using bridge = await made(judge);
  equal(await bridge.ask(byKey(costly, bridge.session, signer(costly))), []);
  equal([judge.reasons.map(({ failure }) => failure), judge.welcomed], [["timeout"], []]);
});

test("who has proven who he is and is refused all the same is told no more than others", async () => {
  const judge = new TestJudge([key]);
  judge.refusal = "policy refuses key:X";
  using bridge = await made(judge);
  equal(await bridge.ask(byKey(key, bridge.session, signer(key))), [USERAUTH_FAILURE]);
  equal(judge.welcomed, []);
});

test("channels before the login, another service, and a second request for this one end the connection", async () => {
  const session = encoded((to) => to.byte(CHANNEL_OPEN).text("session").uint32(0).uint32(1000).uint32(1000));
  const service = encoded((to) => to.byte(5).text("ssh-userauth"));
  for (
    const [payload, failure] of [
      [session, "malformed"],
      [Uint8Array.of(80), "malformed"],
      [request("none", undefined, "ssh-other"), "unsupported"],
      [service, "unsupported"],
    ] as const
  ) {
    using bridge = await made();
    equal(await bridge.ask(payload, byPassword("right")), []);
    equal(bridge.judge.reasons.map((reason) => reason.failure), [failure]);
    equal([bridge.judge.welcomed, bridge.server.transport.isOver], [[], true]);
  }
});

test("a request that is cut anywhere, or has bytes behind its end, ends the connection", async () => {
  for (const whole of [byPassword("right"), byKey(key), byKey(key, new Uint8Array(32), signer(key))]) {
    for (let size = 1; size < whole.length; size += 7) {
      using bridge = await made();
      equal(await bridge.ask(whole.slice(0, size)), []);
      equal(bridge.judge.reasons.map(({ failure }) => failure), ["malformed"], `${size} of ${whole.length}`);
    }
    using bridge = await made();
    equal(await bridge.ask(Uint8Array.of(...whole, 0)), []);
    equal(bridge.judge.reasons.map(({ failure }) => failure), ["malformed"]);
  }
});

test("a login is the same over every split of its bytes", async () => {
  for (const piece of [1, 2, 3, 5, 17, 64, 1000]) {
    using bridge = await LoginBridge.make(new TestJudge([key]), piece);
    bridge.client.transport.send(byKey(key));
    bridge.client.transport.send(byKey(key, bridge.session, signer(key)));
    await bridge.cross(piece);
    equal(bridge.above.messages.map(([number]) => number), [USERAUTH_PK_OK, USERAUTH_SUCCESS]);
  }
});

test("whatever comes before the login, nobody is in by it: an answer, or an end that is told once", async () => {
  const valid = [
    request("none"),
    byPassword("wrong"),
    byKey(key),
    byKey(other),
    byKey(p256, new Uint8Array(32), signer(p256)),
  ];
  const mutated = fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 })).map(
    ([whole, at, by]) => {
      const bytes = whole.slice();
      bytes[1 + at % (bytes.length - 1)] ^= by;
      return bytes;
    },
  );
  const random = fc.tuple(fc.integer({ min: 50, max: 255 }), fc.uint8Array({ maxLength: 300 })).map(
    ([number, rest]) => Uint8Array.of(number, ...rest),
  );
  const payloads = fc.array(fc.oneof(mutated, random), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(payloads, fc.integer({ min: 1, max: 200 }), async (payloads, piece) => {
      using bridge = await made();
      for (const payload of payloads) bridge.client.transport.send(payload);
      await bridge.cross(piece);
      equal(bridge.judge.welcomed, []);
      const { isOver } = bridge.server.transport;
      equal(bridge.judge.reasons.length, isOver ? 1 : 0);
      ok(bridge.judge.reasons.every(({ failure }) => failure !== "internal"));
      if (isOver) return;
      equal(await bridge.ask(byKey(key, bridge.session, signer(key))), [USERAUTH_SUCCESS]);
    }),
    { numRuns: 150 },
  );
});
