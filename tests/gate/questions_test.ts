import type { Target } from "../../gate/address.ts";
import type { Destination } from "../../gate/contracts.ts";
import type { Question } from "../../gate/orders.ts";
import { Questions } from "../../gate/questions.ts";
import { equal, fails, ok } from "../support/assert.ts";
import { onLoop, pause } from "../support/on_loop.ts";

const NAME = { host: "db.internal", port: 5432 };

const found = (target: Target, lifetime: number): Destination => ({
  target,
  endpoints: [{ address: { host: "10.0.0.7", port: target.port }, layers: [] }],
  source: "test",
  lifetime,
});

/** A main thread that answers when the test does. */
function asking(deadline?: number) {
  const asked: { id: number; question: Question }[] = [];
  const questions = new Questions((id, question) => asked.push({ id, question }), deadline);
  const answer = (lifetime: number | undefined) => {
    const { id } = asked.at(-1)!;
    questions.answered({ id, destination: lifetime === undefined ? undefined : found(NAME, lifetime) });
  };
  return { questions, asked, answer };
}

Deno.test("addresses and unix sockets are not asked for", () => {
  const { questions, asked } = asking();
  for (const host of ["10.0.0.1", "::1", "unix:/run/x.sock", "unix:@x"]) {
    const destination = questions.resolve({ host, port: 1 });
    ok(destination && !(destination instanceof Promise));
    equal(destination.endpoints, [{ address: { host, port: 1 }, layers: [] }]);
  }
  equal(asked, []);
});

Deno.test("many that ask at once are one question, and its answer is kept for its lifetime", () =>
  onLoop(async () => {
    const { questions, asked, answer } = asking();
    const all = Promise.all([questions.resolve(NAME), questions.resolve(NAME), questions.resolve(NAME)]);
    equal(asked.length, 1);
    answer(100);
    ok((await all).every((destination) => destination?.endpoints[0].address.host === "10.0.0.7"));
    const kept = questions.resolve(NAME);
    ok(kept && !(kept instanceof Promise));
    await pause(150);
    const again = questions.resolve(NAME);
    equal(asked.length, 2);
    answer(0);
    await again;
    const last = questions.resolve(NAME);
    equal(asked.length, 3);
    answer(0);
    await last;
  }));

Deno.test("a name on another port is another question", () =>
  onLoop(async () => {
    const { questions, asked } = asking(50);
    const both = [NAME, { ...NAME, port: 1 }].map((target) => questions.resolve(target) as Promise<unknown>);
    equal(asked.length, 2);
    for (const each of both) await fails(each, "timeout");
  }));

Deno.test("that nobody knows a name is kept for a moment", () =>
  onLoop(async () => {
    const { questions, asked, answer } = asking();
    const unknown = questions.resolve(NAME);
    answer(undefined);
    equal(await unknown, undefined);
    equal(questions.resolve(NAME), undefined);
    equal(asked.length, 1);
  }));

Deno.test("what was forgotten is asked for again, also when its answer was on the way", () =>
  onLoop(async () => {
    const { questions, asked, answer } = asking();
    for (const names of [["db.internal"], ["*.internal"], ["*"]]) {
      const first = questions.resolve(NAME);
      answer(10_000);
      await first;
      questions.forget(["other.internal"]);
      ok(!(questions.resolve(NAME) instanceof Promise));
      questions.forget(names);
      const second = questions.resolve(NAME);
      ok(second instanceof Promise);
      questions.forget(names);
      answer(10_000);
      await second;
      const third = questions.resolve(NAME);
      ok(third instanceof Promise, "an answer from before was kept");
      answer(0);
      await third;
    }
    equal(asked.length, 9);
  }));

Deno.test("a failure is told as it is, and not kept", () =>
  onLoop(async () => {
    const { questions, asked } = asking();
    for (let times = 1; times <= 2; times++) {
      const asked1 = questions.resolve(NAME) as Promise<unknown>;
      const failed = { failure: "timeout", side: "upstream", message: "Cannot resolve: silence" } as const;
      questions.answered({ id: asked.at(-1)!.id, failed });
      await fails(asked1, "timeout");
      equal(asked.length, times);
    }
  }));

Deno.test("a main thread that says nothing is given up, and its late answer is nobody's", () =>
  onLoop(async () => {
    const { questions, answer } = asking(50);
    await fails(questions.resolve(NAME) as Promise<unknown>, "timeout");
    answer(1000);
    await fails(questions.resolve(NAME) as Promise<unknown>, "timeout");
  }));

Deno.test("questions that wait are bounded", () =>
  onLoop(async () => {
    const { questions, asked } = asking(50);
    const all = Array.from({ length: 4096 }, (_, i) =>
      questions.resolve({ host: `h${i}`, port: 1 }) as Promise<unknown>);
    await fails(questions.resolve({ host: "one-more", port: 1 }) as Promise<unknown>, "exhausted");
    equal(asked.length, 4096);
    const settled = await Promise.allSettled(all);
    ok(settled.every(({ status }) =>
      status === "rejected"
    ));
  }));

Deno.test("one source cannot take the places of all: 128 names of an address, or of an IPv6 /64, may wait", () =>
  onLoop(async () => {
    const { questions, asked } = asking(50);
    const ask = (host: string, source?: string) =>
      questions.resolve({ host, port: 1 }, source) as Promise<unknown>;
    for (const [i, source] of ["10.0.0.1", "2001:db8::1"].entries()) {
      const all = Array.from({ length: 128 }, (_, n) => ask(`h${n}.of${i}`, source));
      await fails(ask("one-more", source), "exhausted");
      all.push(ask("h0.of0", source)); // what is under way already costs nothing
      all.push(ask(`from-elsewhere${i}`, `10.0.0.${i + 7}`), ask(`for-the-gate-itself${i}`));
      equal(asked.length, (i + 1) * 130);
      if (i === 1) await fails(ask("one-more", "2001:db8::ffff"), "exhausted");
      ok((await Promise.allSettled(all)).every(({ status }) => status === "rejected")); // main says nothing
      await fails(ask(`again${i}`, source), "timeout");
      asked.length = (i + 1) * 130;
    }
  }));

Deno.test("who is refused for its source alone keeps nobody else from asking the same", () =>
  onLoop(async () => {
    const { questions, asked } = asking(50);
    const ask = (host: string, source: string) =>
      questions.resolve({ host, port: 1 }, source) as Promise<unknown>;
    const all = Array.from({ length: 128 }, (_, n) => ask(`h${n}`, "10.0.0.1"));
    const refused = ask("wanted", "10.0.0.1"), other = ask("wanted", "10.0.0.2");
    equal(asked.length, 129);
    await fails(refused, "exhausted");
    await fails(other, "timeout");
    await Promise.allSettled(all);
  }));

Deno.test("who asks after a change does not get the answer to a question from before it", () =>
  onLoop(async () => {
    const { questions, asked, answer } = asking();
    const before = questions.resolve(NAME);
    questions.forget(["*.internal"]);
    const after = questions.resolve(NAME);
    equal(asked.length, 2);
    questions.answered({ id: asked[0].id, destination: undefined });
    equal(await before, undefined);
    equal(questions.resolve(NAME), after);
    answer(100);
    ok(await after);
  }));

Deno.test("main's word about a password is passed on", () =>
  onLoop(async () => {
    const { questions, asked } = asking();
    const login = { listener: "edge", source: "10.0.0.1", user: "alice", password: "x" };
    for (const word of ["right", "wrong", "throttled", "busy"] as const) {
      const told = questions.login(login);
      questions.answered({ id: asked.at(-1)!.id, login: word });
      equal(await told, word);
    }
    equal(asked[0].question, { ask: "login", login });
  }));

const given = (token: string, source: string) => ({
  listener: "edge",
  source,
  token,
  rule: { issuer: "https://id.example", audiences: ["app"], claims: {} },
});

Deno.test("one source cannot take the places of all for its credentials either, nor one kind those of another", () =>
  onLoop(async () => {
    const { questions, asked } = asking(50);
    const login = (password: string, source: string) =>
      questions.login({ listener: "edge", source, user: "alice", password });
    const all: Promise<unknown>[] = [];
    for (let n = 0; n < 128; n++) {
      all.push(questions.token(given(`t${n}`, "10.0.0.1")), login(`p${n}`, "10.0.0.1"));
    }
    await fails(questions.token(given("more", "10.0.0.1")), "exhausted");
    await fails(login("more", "10.0.0.1"), "exhausted");
    all.push(questions.token(given("more", "10.0.0.2")), login("more", "10.0.0.2"));
    for (let n = 258; n < 4000; n++) all.push(questions.token(given("t", `10.1.${n >> 8}.${n & 255}`)));
    equal(asked.filter(({ question }) => question.ask === "token").length, 1024);
    all.push(login("more", "10.0.0.3"), questions.resolve(NAME, "10.0.0.1") as Promise<unknown>);
    equal(asked.length, 1024 + 130 + 1);
    ok((await Promise.allSettled(all)).every(({ status }) => status === "rejected"));
    const again = questions.token(given("again", "10.0.0.1"));
    questions.answered({ id: asked.at(-1)!.id, token: { verdict: "misfit" } });
    equal(await again, { verdict: "misfit" });
  }));

Deno.test("the same credentials that are given again meanwhile are one question", () =>
  onLoop(async () => {
    const { questions, asked } = asking();
    const all = Array.from({ length: 1000 }, () => questions.token(given("t", "10.0.0.1")));
    const other = questions.token(given("t", "10.0.0.2"));
    equal(asked.length, 2);
    for (const { id } of asked.splice(0)) questions.answered({ id, token: { verdict: "misfit" } });
    equal((await Promise.all([...all, other])).length, 1001);
    const later = questions.token(given("t", "10.0.0.1"));
    equal(asked.length, 1);
    questions.answered({ id: asked[0].id, token: "throttled" });
    equal(await later, "throttled");
  }));
