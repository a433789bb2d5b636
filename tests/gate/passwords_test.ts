import { Buffer } from "node:buffer";
import { parseHash } from "../../gate/password_hash.ts";
import { hashPassword, Passwords, verifyHash } from "../../gate/passwords.ts";
import type { Throttled } from "../../gate/throttle.ts";
import { equal, ok } from "../support/assert.ts";

/** Cheap, so that tests do not wait: N=16, r=1, p=1 of "secret". */
const CHEAP = await cheapHash();

async function cheapHash(): Promise<string> {
  const { scryptSync } = await import("node:crypto");
  const salt = new Uint8Array(16).fill(7);
  const hash = scryptSync("secret", salt, 32, { N: 16, r: 1, p: 1 });
  return `scrypt:16:1:1:${btoa(String.fromCharCode(...salt)).replace(/=+$/, "")}:${
    hash.toString("base64url")
  }`;
}

const login = (user: string, password: string, source = "192.0.2.1", listener = "proxy") => ({
  listener,
  source,
  user,
  password,
});

Deno.test("hashPassword() prints what parseHash() reads and verifyHash() knows again", async () => {
  const text = await hashPassword("correct horse");
  const hash = parseHash(text);
  ok(hash);
  equal(await verifyHash("correct horse", hash), true);
  equal(await verifyHash("correct horsf", hash), false);
  ok(text !== await hashPassword("correct horse"), "each hash has a salt of its own");
});

Deno.test("the vector of RFC 7914 section 12 verifies", async () => {
  const hex = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162" +
    "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640";
  const salt = btoa("NaCl").replace(/=+$/, "");
  equal(parseHash(`scrypt:1024:8:16:${salt}:AAAA`), undefined);
  const hash = { cost: 1024, blockSize: 8, parallelism: 16, salt: new TextEncoder().encode("NaCl") };
  equal(await verifyHash("password", { ...hash, hash: Uint8Array.from(Buffer.from(hex, "hex")) }), true);
});

Deno.test("a hash that is no power of two, costs too much or is cut is none", () => {
  const [, , , , salt, hash] = CHEAP.split(":");
  ok(parseHash(CHEAP));
  for (const head of ["15:1:1", "16:0:1", "16:1:0", "1048576:8:1", "16384:8:17", "0:8:1", "1:8:1"]) {
    equal(parseHash(`scrypt:${head}:${salt}:${hash}`), undefined, head);
  }
  equal(parseHash(`scrypt:16:1:1:${salt}`), undefined);
  equal(parseHash(`scrypt:16:1:1:${salt}:${hash}:`), undefined);
});

Deno.test("plain and hashed passwords are right for their user on their listener alone", async () => {
  const passwords = new Passwords({ proxy: { alice: "plain", bob: CHEAP }, open: {} }, { now: () => 0 });
  equal(await passwords.check(login("alice", "plain")), "right");
  equal(await passwords.check(login("bob", "secret")), "right");
  equal(await passwords.check(login("bob", CHEAP)), "wrong");
  equal(await passwords.check(login("alice", "secret")), "wrong");
  equal(await passwords.check(login("carol", "secret")), "wrong");
  equal(await passwords.check(login("constructor", "secret")), "wrong");
  equal(await passwords.check(login("alice", "plain", "192.0.2.1", "open")), "wrong");
  equal(await passwords.check(login("alice", "plain", "192.0.2.1", "toString")), "wrong");
});

Deno.test("a source that fails ten times waits, right passwords too, and others do not", async () => {
  let now = 0;
  const passwords = new Passwords({ proxy: { alice: "plain" } }, { now: () => now });
  for (let i = 0; i < 10; i++) equal(await passwords.check(login("alice", `guess${i}`)), "wrong");
  equal(await passwords.check(login("alice", "plain")), "throttled");
  equal(await passwords.check(login("alice", "plain", "192.0.2.2")), "right");
  now = 3000;
  equal(await passwords.check(login("alice", "plain")), "right");
  equal(await passwords.check(login("alice", "wrong")), "wrong");
  equal(await passwords.check(login("alice", "plain")), "throttled");
});

Deno.test("attempts that run at once count before they are answered", async () => {
  const passwords = new Passwords({ proxy: { bob: CHEAP } }, { now: () => 0 });
  const guesses = Array.from({ length: 30 }, (_, i) => passwords.check(login("bob", `guess${i}`)));
  const answers = await Promise.all(guesses);
  equal(answers.filter((answer) => answer === "wrong").length, 10);
  equal(answers.filter((answer) => answer === "throttled").length, 20);
});

Deno.test("an IPv6 /64 is one source, and a unix socket is none", async () => {
  const passwords = new Passwords({ proxy: { alice: "plain" } }, { now: () => 0 });
  for (let i = 1; i <= 10; i++) await passwords.check(login("alice", "x", `2001:db8::${i}`));
  equal(await passwords.check(login("alice", "plain", "2001:db8::ff:1")), "throttled");
  equal(await passwords.check(login("alice", "plain", "2001:db8:0:1::1")), "right");
  for (let i = 1; i <= 20; i++) equal(await passwords.check(login("alice", "x", "unix")), "wrong");
  equal(await passwords.check(login("alice", "plain", "unix")), "right");
});

Deno.test("a source may ask the same right password many times at once", async () => {
  const passwords = new Passwords({ proxy: { alice: "plain", bob: CHEAP } }, { now: () => 0 });
  for (const attempt of [login("bob", "secret"), login("bob", "secret"), login("alice", "plain")]) {
    for (let i = 0; i < 3; i++) {
      const answers = await Promise.all(Array.from({ length: 40 }, () => passwords.check(attempt)));
      equal(answers.every((answer) => answer === "right"), true);
    }
  }
});

Deno.test("right answers never use up what a source may fail", async () => {
  const passwords = new Passwords({ proxy: { alice: "plain", bob: CHEAP } }, { now: () => 0 });
  for (let i = 0; i < 40; i++) {
    equal(await passwords.check(login(i % 2 ? "alice" : "bob", i % 2 ? "plain" : "secret")), "right");
  }
});

Deno.test("a right answer is remembered until the stored password changes", async () => {
  const costly = await hashPassword("secret");
  const passwords = new Passwords({ proxy: { bob: costly } });
  equal(await passwords.check(login("bob", "secret")), "right");
  const began = performance.now();
  for (let i = 0; i < 100; i++) equal(await passwords.check(login("bob", "secret")), "right");
  ok(performance.now() - began < 1000, "a hundred verifications would take ten times as long");
  passwords.replace({ proxy: { bob: CHEAP.replace(/.$/, (c) => c === "A" ? "Q" : "A") } });
  equal(await passwords.check(login("bob", "secret")), "wrong");
  passwords.replace({});
  equal(await passwords.check(login("bob", "secret")), "wrong");
});

Deno.test("a password that a reload replaces while it is verified is wrong, for all who asked", async () => {
  const passwords = new Passwords({ proxy: { bob: CHEAP } });
  const answers = [1, 2, 3].map((i) => passwords.check(login("bob", "secret", `198.51.100.${i}`)));
  passwords.replace({ proxy: { bob: "another" } });
  equal(await Promise.all(answers), ["wrong", "wrong", "wrong"]);
  const later = passwords.check(login("bob", "another"));
  passwords.replace({ proxy: { bob: "another", carol: "x" } });
  equal(await later, "right");
});

Deno.test("digests tell that a password changed, and nothing else of it", () => {
  const users = {
    proxy: { alice: "secret", bob: "secret", carol: CHEAP },
    open: { alice: "secret" },
    none: {},
  };
  const passwords = new Passwords(users);
  const before = passwords.digests();
  equal(Object.keys(before), ["proxy", "open", "none"]);
  equal(Object.keys(before.proxy), ["alice", "bob", "carol"]);
  const all = Object.values(before).flatMap((digests) => Object.values(digests));
  equal(new Set(all).size, 4, "the same password of two users has two digests");
  ok(all.every((digest) => /^[\w+/]{16}$/.test(digest)), all.join(" "));
  equal(passwords.digests(), before);
  passwords.replace({ ...users, proxy: { ...users.proxy, alice: "changed" } });
  const after = passwords.digests();
  ok(after.proxy.alice !== before.proxy.alice);
  equal({ ...after, proxy: { ...after.proxy, alice: "" } }, {
    ...before,
    proxy: { ...before.proxy, alice: "" },
  });
  ok(new Passwords(users).digests().proxy.alice !== before.proxy.alice, "the key is the process's own");
});

Deno.test("a source that has to wait is told once, with where it guessed last", async () => {
  const told: Throttled[] = [];
  const passwords = new Passwords({ proxy: { alice: "plain", bob: CHEAP } }, {
    now: () => 0,
    throttled: (throttled) => told.push(throttled),
  });
  const guesses = Array.from({ length: 30 }, (_, i) => ({
    ...login(i % 2 ? "alice" : "bob", `guess${i}`),
    protocol: "socks",
  }));
  await Promise.all(guesses.map((guess) => passwords.check(guess)));
  equal(told, [{ source: "192.0.2.1", listener: "proxy", protocol: "socks", failures: 10 }]);
});

Deno.test("many users of one source who log in at once are no guessers", async () => {
  const told: Throttled[] = [];
  const users = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`user${i}`, CHEAP]));
  const passwords = new Passwords({ proxy: users }, { throttled: (throttled) => told.push(throttled) });
  const answers = Object.keys(users).map((user) => passwords.check(login(user, "secret")));
  equal(await Promise.all(answers), Array(9).fill("right"));
  equal(told, []);
});

Deno.test("beyond what may run and wait the answer is busy, and busy is no failure of the client", async () => {
  const passwords = new Passwords({ proxy: { bob: CHEAP } }, { now: () => 0 });
  const source = (i: number) => `198.51.100.${i}`;
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => passwords.check(login("bob", `guess${i}`, source(i)))),
  );
  equal(answers.filter((answer) => answer === "wrong").length, 66);
  equal(answers.filter((answer) => answer === "busy").length, 134);
  equal(await passwords.check(login("bob", "secret")), "right");
});

Deno.test("the same question asked at once is verified once", async () => {
  const passwords = new Passwords({ proxy: { bob: CHEAP } }, { now: () => 0 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => passwords.check(login("bob", "secret", `198.51.100.${i}`))),
  );
  equal(answers.every((answer) => answer === "right"), true);
});

Deno.test("who gave a right password before is not held up by a flood of guesses from others", async () => {
  const passwords = new Passwords({ proxy: { bob: CHEAP, carol: CHEAP } }, { now: () => 0 });
  equal(await passwords.check(login("bob", "secret", "192.0.2.1")), "right");
  const order: string[] = [];
  const guesses = Array.from({ length: 200 }, async (_, i) => {
    const answer = await passwords.check(login("bob", `guess${i}`, `198.51.100.${i}`));
    if (answer !== "busy") order.push("guess");
  });
  const known = passwords.check(login("carol", "secret", "192.0.2.1")).then((answer) => {
    order.push("known");
    return answer;
  });
  const stranger = passwords.check(login("carol", "secret", "192.0.2.2"));
  equal([await known, await stranger], ["right", "right"]);
  await Promise.all(guesses);
  ok(order.indexOf("known") <= 3, `${order.indexOf("known")} guesses went first`);
});
