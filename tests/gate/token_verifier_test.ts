/** Tokens, right ones and hostile ones. */
import { createSecretKey } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWTPayload, SignJWT } from "jose";
import type { TokenAnswer, TokenRule } from "../../gate/requests.ts";
import { causeChain, type GateError } from "../../gate/errors.ts";
import type { Issuer } from "../../gate/key_set.ts";
import { Scope } from "../../gate/scope.ts";
import { type Throttled, throttledMessage } from "../../gate/throttle.ts";
import { TokenVerifier } from "../../gate/token_verifier.ts";
import { equal, ok } from "../support/assert.ts";
import { part, TestIssuer } from "../support/issuer.ts";

class World implements AsyncDisposable {
  now = 0;
  readonly throttled: Throttled[] = [];
  readonly scope = new Scope();
  readonly verifier: TokenVerifier;
  readonly rule: TokenRule;

  constructor(readonly issuer: TestIssuer) {
    this.rule = { issuer: issuer.name, audiences: ["app"], claims: {} };
    this.verifier = new TokenVerifier({
      scope: this.scope,
      say: () => {},
      now: () => this.now,
      throttled: (throttled) => this.throttled.push(throttled),
    });
    this.believe({ issuer: issuer.name, keys: { url: issuer.url } });
  }

  static async make(algorithm?: string): Promise<World> {
    return new World(await TestIssuer.start("one", algorithm));
  }

  believe(...issuers: Issuer[]): void {
    this.verifier.replace(issuers);
  }

  check(
    token: string,
    rule: Partial<TokenRule> = {},
    source = "192.0.2.1",
  ): Promise<TokenAnswer | "throttled"> {
    return this.verifier.check({ listener: "web", source, rule: { ...this.rule, ...rule }, token });
  }

  /** Why it is wrong, or the verdict. */
  async told(token: string, rule: Partial<TokenRule> = {}): Promise<string> {
    const answer = await this.check(token, rule);
    return typeof answer === "string" ? answer : answer.verdict === "wrong" ? answer.why : answer.verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scope.close(1000);
    await this.issuer[Symbol.asyncDispose]();
  }
}

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

Deno.test("tokens of every algorithm of key pairs are right: who it is, and until when that holds", async () => {
  for (const algorithm of ["ES256", "ES384", "ES512", "RS256", "PS384", "EdDSA", "Ed25519"]) {
    await using world = await World.make(algorithm);
    const before = Date.now(), answer = await world.check(await world.issuer.token());
    ok(typeof answer === "object" && answer.verdict === "right", `${algorithm}: ${JSON.stringify(answer)}`);
    equal(answer.subject, "alice");
    ok(answer.until >= before + 5 * 60_000 && answer.until <= Date.now() + 5 * 60_000);
    const soon = await world.check(await world.issuer.token({ exp: seconds(60), sub: undefined }));
    ok(typeof soon === "object" && soon.verdict === "right" && soon.subject === undefined);
    ok(soon.until <= Date.now() + 90_000);
  }
});

Deno.test("what is expired, early, endless, of others or for others is wrong", async () => {
  await using world = await World.make();
  const { issuer } = world;
  const wrong: [claims: JWTPayload, why: string][] = [
    [{ exp: seconds(-31) }, "it is expired"],
    [{ exp: undefined }, "it has no exp"],
    [{ exp: "tomorrow" as unknown as number }, "its exp does not fit"],
    [{ nbf: seconds(60) }, "its nbf does not fit"],
    [{ nbf: "now" as unknown as number }, "its nbf does not fit"],
    [{ iss: "https://evil.example" }, "its iss does not fit"],
    [{ iss: `${issuer.name}/` }, "its iss does not fit"],
    [{ iss: undefined }, "it has no iss"],
    [{ aud: "other" }, "its aud does not fit"],
    [{ aud: ["other", "APP"] }, "its aud does not fit"],
    [{ aud: undefined }, "it has no aud"],
    [{ sub: "a\r\nX-Forwarded-User: root" }, "its sub cannot be told in a field"],
    [{ sub: " root" }, "its sub cannot be told in a field"],
    [{ sub: "" }, "its sub cannot be told in a field"],
    [{ sub: 1 as unknown as string }, "its sub cannot be told in a field"],
  ];
  for (const [claims, why] of wrong) {
    equal(await world.told(await issuer.token(claims)), why, JSON.stringify(claims));
  }
  for (const claims of [{ exp: seconds(-20) }, { nbf: seconds(20) }, { aud: ["x", "app"] }]) {
    equal(await world.told(await issuer.token(claims)), "right", JSON.stringify(claims));
  }
  equal(
    await world.told(await issuer.token(), { issuer: "https://other.example" }),
    "its issuer is not known here",
  );
  equal(await world.told(await issuer.token(), { audiences: [] }), "its aud does not fit");
});

Deno.test("no algorithm but those of key pairs: no none, no secret that is the public key", async () => {
  await using world = await World.make("RS256");
  const { issuer } = world, { jwk } = issuer.keys.get("one")!;
  const claims = { iss: issuer.name, aud: "app", sub: "root", exp: seconds(60) };
  const unsigned = ["none", "None", "NONE", "nOnE"].flatMap((alg) => {
    const body = `${part({ alg, kid: "one" })}.${part(claims)}`;
    return [`${body}.`, `${body}.AA`];
  });
  const publicKey = await importJWK({ ...jwk, ext: true }, "RS256", { extractable: true }) as CryptoKey;
  const secrets = [await exportSPKI(publicKey), JSON.stringify(jwk), jwk.n!, ""];
  const shared = await Promise.all(
    secrets.filter(Boolean).flatMap((secret) =>
      ["HS256", "HS512"].map((alg) =>
        new SignJWT(claims).setProtectedHeader({ alg, kid: "one" })
          .sign(createSecretKey(new TextEncoder().encode(secret.padEnd(64))))
      )
    ),
  );
  const [, payload, signature] = (await issuer.token()).split(".");
  const other = ["PS256", "RS384", "ES256"].map((alg) =>
    `${part({ alg, kid: "one" })}.${payload}.${signature}`
  );
  for (const token of [...unsigned, ...shared]) {
    ok(
      /^its algorithm is not allowed|^it is malformed/.test(await world.told(token)),
      await world.told(token),
    );
  }
  equal(issuer.asked, 0); // nobody asks for keys for such
  for (const token of other) ok(await world.told(token) !== "right");
});

Deno.test("a key that a token brings itself, or points to, is no key", async () => {
  await using world = await World.make();
  const { issuer } = world, { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const claims = { iss: issuer.name, aud: "app", sub: "root", exp: seconds(60) },
    jwk = await exportJWK(publicKey);
  let fetched = 0;
  await using evil = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    fetched++;
    return Response.json({ keys: [{ ...jwk, kid: "one" }] });
  });
  const url = `http://127.0.0.1:${evil.addr.port}/`;
  for (
    const header of [
      { kid: "one" },
      { kid: "one", jwk },
      { kid: "one", jku: url },
      { kid: "one", x5u: url, x5c: ["AA"] },
      { jwk },
      {},
    ]
  ) {
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", ...header }).sign(privateKey);
    equal(await world.told(token), "its signature is wrong", JSON.stringify(header));
  }
  for (
    const kid of [
      "two",
      "../../../etc/passwd",
      "/dev/null",
      url,
      "one\0",
      "ONE",
      "__proto__",
      "' OR 1=1",
      "x".repeat(9000),
    ]
  ) {
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(privateKey);
    equal(await world.told(token), "its key is not known", kid);
  }
  equal([fetched, issuer.asked], [0, 2]);
});

Deno.test("what is no signed token is malformed, however it is cut", async () => {
  await using world = await World.make();
  const right = await world.issuer.token(), [head, payload, signature] = right.split(".");
  const kid = { alg: "ES256", kid: "one" };
  const bodies = ["", "{}", "[]", "null", "1", '"x"', "\xff", "{".repeat(5000)];
  const tokens = [
    ...[
      "",
      ".",
      "..",
      "...",
      "a.b.c",
      head,
      `${head}.${payload}`,
      `${head}.${payload}.`,
      `${right}.`,
      `.${right}`,
    ],
    ...[
      `${head}..${signature}`,
      `.${payload}.${signature}`,
      `${right}.a.b`,
      `${payload}.${head}.${signature}`,
    ],
    ...bodies.map((body) => `${part(body)}.${payload}.${signature}`),
    ...bodies.map((body) => `${head}.${part(body)}.${signature}`),
    `${part({ ...kid, crit: ["x"], x: 1 })}.${payload}.${signature}`,
    `${part({ ...kid, crit: ["b64"], b64: false })}.${payload}.${signature}`,
    `${part({ ...kid, alg: ["ES256"] })}.${payload}.${signature}`,
    `${part({ alg: "RSA-OAEP", enc: "A256GCM" })}.a.b.c.d`,
    `${head}.${part({ iss: world.issuer.name, aud: "app", sub: "root", exp: seconds(60) })}.${signature}`,
    `${head}.${payload}.${signature.slice(0, -4)}`,
    `${head}.${payload}.${part("x".repeat(12_000))}`,
  ];
  for (let end = 0; end < right.length; end += 7) tokens.push(right.slice(0, end));
  for (const token of tokens) {
    const told = await world.told(token);
    ok(told === "throttled" || /^it|^its/.test(told), `${token.slice(0, 200)}: ${told}`);
  }
  world.now += 60_000;
  equal(await world.told(right), "right");
});

Deno.test("claims have to be there as they are: a value, one of a list, a word of the scope", async () => {
  await using world = await World.make();
  const claims = {
    tier: "gold",
    roles: ["admin", "dev"],
    level: 3,
    verified: true,
    scope: "read write",
    deep: { a: 1 },
  };
  const token = await world.issuer.token(claims);
  const fits: TokenRule["claims"][] = [
    ...[{ tier: "gold" }, { roles: "dev" }, { level: "3" }, { verified: "true" }, { scope: "write" }],
    ...[{ tier: "gold", roles: "admin" }, { scope: "read write" }],
  ];
  for (const wanted of fits) {
    equal(await world.told(token, { claims: wanted }), "right", JSON.stringify(wanted));
  }
  const misfits: TokenRule["claims"][] = [
    ...[{ tier: "Gold" }, { tier: "gold " }, { roles: "admin,dev" }, { level: "03" }, { verified: "false" }],
    ...[{ scope: "rea" }, { scope: "" }, { deep: "[object Object]" }, { none: "undefined" }],
    ...[{ hasOwnProperty: "x" }, { tier: "gold", roles: "root" }] as unknown as TokenRule["claims"][],
  ];
  for (const wanted of misfits) {
    equal(await world.told(token, { claims: wanted }), "misfit", JSON.stringify(wanted));
  }
});

Deno.test("keys are rotated and taken away, and those without an id are tried", async () => {
  await using world = await World.make();
  const { issuer } = world, first = await issuer.token();
  equal(await world.told(first), "right");
  await issuer.addKey("two");
  equal([await world.told(await issuer.token({}, "two")), issuer.asked], ["right", 2]);
  issuer.keys.delete("one");
  world.now += 11 * 60_000;
  equal(await world.told(first), "its key is not known");
  await issuer.addKey("three");
  for (const { jwk } of issuer.keys.values()) delete jwk.kid;
  world.now += 11 * 60_000;
  const nameless = await issuer.token({}, "three", { kid: undefined });
  equal(await world.told(nameless), "right");
});

Deno.test("while the key set cannot be had, tokens of known keys go on, and others are wrong or cannot be told", async () => {
  await using world = await World.make();
  const { issuer } = world;
  issuer.answer = () => new Response("no", { status: 500 });
  const failed = await world.check(await issuer.token()).then(() => undefined, (thrown: GateError) => thrown);
  ok(failed?.failure === "unreachable" && /its keys are not known/.test(causeChain(failed)));
  issuer.answer = undefined;
  world.now += 5000;
  equal(await world.told(await issuer.token()), "right");
  issuer.answer = () => new Response("no", { status: 500 });
  await issuer.addKey("two");
  equal(await world.told(await issuer.token({}, "two")), "its key is not known");
  world.now += 11 * 60_000;
  equal(await world.told(await issuer.token()), "right");
});

Deno.test("forged signatures throttle their source, and nothing else does; fail2ban is told", async () => {
  await using world = await World.make();
  const { issuer } = world, right = await issuer.token(), forged = `${right.slice(0, -10)}${"A".repeat(10)}`;
  const expired = await issuer.token({ exp: seconds(-100) });
  for (let i = 0; i < 150; i++) equal(await world.told(expired), "it is expired");
  for (let i = 0; i < 100; i++) equal(await world.told(forged), "its signature is wrong");
  equal([await world.told(forged), await world.told(right)], ["throttled", "throttled"]);
  ok(typeof await world.check(right, {}, "192.0.2.2") === "object");
  equal(world.throttled, [{
    source: "192.0.2.1",
    listener: "web",
    protocol: undefined,
    what: "tokens",
    failures: 100,
  }]);
  const { text } = throttledMessage(world.throttled[0]);
  equal(text, "192.0.2.1 gave 100 wrong tokens on listener web: it may try one in 0.1 s");
  world.now += 200;
  equal(await world.told(right), "right");
});

Deno.test("who makes up keys waits for no slow issuer, and holds up nobody whose key is known", async () => {
  await using world = await World.make();
  const { issuer } = world, right = await issuer.token();
  equal(await world.told(right), "right");
  const slow = Promise.withResolvers<void>();
  issuer.answer = async () => {
    await slow.promise;
    return new Response(issuer.set);
  };
  await issuer.addKey("two");
  const made = await Promise.all(
    Array.from({ length: 65 }, (_, n) => issuer.token({}, "one", { kid: `k${n}` })),
  );
  let answered = 0;
  const checked = made.map(async (token) => {
    const answer = await world.check(token);
    answered++;
    return answer;
  });
  const late = await checked[64]; // the only one that does not wait
  equal([late, answered], [{ verdict: "wrong", why: "its key is not known" }, 1]);
  equal(await world.told(right), "right");
  const other = world.check(await issuer.token({}, "two"), {}, "192.0.2.2");
  slow.resolve();
  equal((await other as TokenAnswer).verdict, "right");
  equal((await Promise.all(checked)).length, 65);
});

Deno.test("a key that would take long to verify by is none", async () => {
  await using world = await World.make("RS256");
  const { issuer } = world, token = await issuer.token(), { jwk } = issuer.keys.get("one")!;
  await issuer.addKey("two");
  const large = [{ ...jwk, n: `${jwk.n}${"A".repeat(1025)}` }, { ...jwk, e: "A".repeat(9) }, {
    ...jwk,
    n: 1,
  }];
  for (const key of large) {
    issuer.keys.set("one", { ...issuer.keys.get("one")!, jwk: key as typeof jwk });
    world.now += 11 * 60_000;
    equal(await world.told(token), "its key is not known");
  }
});

Deno.test("keys in a file are those of the configuration; an issuer that goes is believed no more", async () => {
  await using world = await World.make();
  const { issuer } = world, token = await issuer.token();
  world.believe({ issuer: issuer.name, keys: { file: "/keys.json", text: issuer.set } });
  equal([await world.told(token), issuer.asked], ["right", 0]);
  await issuer.addKey("two");
  equal(await world.told(await issuer.token({}, "two")), "its key is not known");
  world.believe({ issuer: issuer.name, keys: { file: "/keys.json", text: issuer.set } });
  equal(await world.told(await issuer.token({}, "two")), "right");
  world.believe();
  equal(await world.told(token), "its issuer is not known here");
});

Deno.test("a key in the set that is none makes tokens impossible to tell, not wrong", async () => {
  await using world = await World.make();
  const { issuer } = world, token = await issuer.token();
  delete issuer.keys.get("one")!.jwk.x;
  const reason = await world.check(token).then(() => undefined, (thrown: GateError) => thrown);
  ok(reason?.failure === "unreachable" && /a key of its set is none/.test(reason.message), String(reason));
});
