import fc from "fast-check";
import { type KexInit, readKexInit, writeKexInit } from "../../../protocols/ssh/kexinit.ts";
import { negotiate, type Negotiated } from "../../../protocols/ssh/negotiation.ts";
import { offerOf } from "../../../protocols/ssh/offer.ts";
import { CIPHERS, MACS } from "../../../protocols/ssh/protection/ciphers.ts";
import { equal, ok } from "../../support/assert.ts";

const KEX = ["curve25519-sha256", "ecdh-sha2-nistp256"];
const none = { compressions: ["none"] };

const init = (part: Partial<KexInit> = {}): KexInit => ({
  exchanges: KEX,
  hostKeys: ["ssh-ed25519", "ecdsa-sha2-nistp256"],
  up: { ciphers: ["aes128-ctr", "aes128-gcm@openssh.com"], macs: ["hmac-sha2-256"], ...none },
  down: { ciphers: ["chacha20-poly1305@openssh.com"], macs: [], ...none },
  guesses: false,
  ...part,
});

const agreed = (client: KexInit, server: KexInit): Negotiated => {
  const answer = negotiate(client, server, KEX);
  ok(!("missing" in answer), JSON.stringify(answer));
  return answer;
};

Deno.test("a KEXINIT is read as it was written, and every byte of it is needed", () => {
  const written = init({ guesses: true }), payload = writeKexInit(written);
  equal(readKexInit(payload), written);
  for (let size = 0; size < payload.length; size++) equal(readKexInit(payload.subarray(0, size)), undefined);
  equal(readKexInit(Uint8Array.of(...payload, 0)), undefined);
  equal(readKexInit(payload.with(0, 21)), undefined);
});

Deno.test("two KEXINITs are never the same: each has a cookie of its own", () => {
  ok(writeKexInit(init()).toHex() !== writeKexInit(init()).toHex());
});

Deno.test("random and mutated KEXINITs are read or refused, and hold no more than they should", () => {
  const payload = writeKexInit(init());
  const mutated = fc.array(fc.tuple(fc.nat(payload.length - 1), fc.nat(255)), { maxLength: 6 }).map(
    (changes) => {
      const bytes = payload.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    },
  );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated), (bytes) => {
      const read = readKexInit(bytes);
      if (read) ok(read.exchanges.every((name) => name.length > 0 && name.length <= 64));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("of each list the client's first that the server has too is agreed on (RFC 4253 7.1)", () => {
  const server = init({
    exchanges: KEX.toReversed(),
    hostKeys: ["ecdsa-sha2-nistp256", "ssh-ed25519"],
    up: {
      ciphers: ["aes128-gcm@openssh.com", "aes128-ctr"],
      macs: ["hmac-sha2-512", "hmac-sha2-256"],
      ...none,
    },
  });
  equal(agreed(init(), server), {
    exchange: "curve25519-sha256",
    hostKey: "ssh-ed25519",
    up: { cipher: "aes128-ctr", mac: "hmac-sha2-256" },
    down: { cipher: "chacha20-poly1305@openssh.com", mac: "" }, // which needs no MAC
    rightGuess: false,
  });
});

Deno.test("a guess is right where both sides prefer the same exchange and the same host key", () => {
  equal(agreed(init(), init()).rightGuess, true);
  equal(agreed(init(), init({ hostKeys: ["ecdsa-sha2-nistp256", "ssh-ed25519"] })).rightGuess, false);
  equal(agreed(init({ exchanges: ["unknown", ...KEX] }), init()).rightGuess, false);
});

Deno.test("marks among the exchanges are not chosen, though both sides have them", () => {
  const marked = init({ exchanges: ["ext-info-c", "kex-strict-c-v00@openssh.com", KEX[1]] });
  equal(agreed(marked, marked).exchange, KEX[1]);
  ok("missing" in negotiate(init({ exchanges: ["ext-info-c"] }), init({ exchanges: ["ext-info-c"] }), KEX));
});

Deno.test("what there is nothing in common of is told, with the peer's list", () => {
  const strange = ["strange"], direction = { ciphers: ["aes128-ctr"], macs: strange, ...none };
  const cases: readonly (readonly [string, Partial<KexInit>])[] = [
    ["key exchange", { exchanges: strange }],
    ["host key algorithm", { hostKeys: strange }],
    ["cipher", { up: { ...init().up, ciphers: strange } }],
    ["cipher", { down: { ...init().down, ciphers: [] } }],
    ["MAC", { up: direction }],
    ["compression", { down: { ...init().down, compressions: ["zlib"] } }],
  ];
  for (const [missing, part] of cases) {
    const answer = negotiate(init(part), init(), KEX);
    ok("missing" in answer);
    equal(answer.missing, missing);
    ok(answer.of(init(part)).every((name) => ["strange", "zlib"].includes(name)));
  }
});

const GCM = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"], CHACHA = "chacha20-poly1305@openssh.com";
const ciphersOf = (theirs: KexInit | undefined, aes: boolean, role: "server" | "client" = "server") =>
  offerOf(role, [], true, theirs, aes).up.ciphers;

Deno.test("a server with instructions for AES offers GCM alone to a client that has it", () => {
  const openssh = init({
    up: { ciphers: [CHACHA, "aes128-ctr", "aes256-gcm@openssh.com"], macs: [], ...none },
  });
  equal(ciphersOf(openssh, true), GCM);
  const offer = offerOf("server", [], true, openssh, true);
  ok(offer.down.ciphers.includes(CHACHA), "the other direction has no GCM there");
  const dropbear = init({ up: { ciphers: [CHACHA, "aes128-ctr", "aes256-ctr"], macs: [], ...none } });
  ok(ciphersOf(dropbear, true).includes(CHACHA));
  ok(ciphersOf(undefined, true).includes(CHACHA));
});

Deno.test("without such instructions chacha20 comes first, with them GCM, on both sides; all that there is is offered", () => {
  for (const role of ["server", "client"] as const) {
    equal(ciphersOf(undefined, false, role)[0], CHACHA);
    equal(ciphersOf(undefined, true, role)[0], GCM[0]);
    for (const aes of [true, false]) {
      equal([...ciphersOf(undefined, aes, role)].sort(), Object.keys(CIPHERS).sort());
      equal(offerOf(role, [], true, undefined, aes).up.macs, Object.keys(MACS));
    }
  }
  equal(ciphersOf(init(), false)[0], CHACHA);
});

Deno.test("marks are in the first KEXINIT alone, each side's own", () => {
  const marks = (role: "server" | "client", isFirst: boolean) =>
    offerOf(role, [], isFirst, undefined, true).exchanges.filter((name) => /ext-info|kex-strict/.test(name));
  equal(marks("client", true), ["ext-info-c", "kex-strict-c-v00@openssh.com"]);
  equal(marks("server", true), ["kex-strict-s-v00@openssh.com"]);
  equal([...marks("client", false), ...marks("server", false)], []);
});
