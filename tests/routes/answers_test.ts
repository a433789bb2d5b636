import { GateError } from "../../gate/errors.ts";
import { type Answer, Answers, FAILURE_LIFETIME } from "../../routes/answers.ts";
import { equal, fails } from "../support/assert.ts";

const NEVER = new AbortController().signal;

/** A question that counts how often it is asked. */
function counting<T>(answer: () => Promise<Answer<T>> | Answer<T>) {
  const question = async (signal: AbortSignal) => {
    question.asked++;
    question.signals.push(signal);
    return await answer();
  };
  question.asked = 0;
  question.signals = [] as AbortSignal[];
  return question;
}

function clock() {
  const time = () => time.now;
  time.now = 1000;
  return time;
}

Deno.test("an answer is kept for its lifetime and tells what is left of it", async () => {
  const now = clock();
  const answers = new Answers<string>({ entries: 8, flights: 8 }, now);
  const question = counting(() => ({ value: "here", lifetime: 500 }));
  equal(await answers.ask("a", NEVER, question), { value: "here", lifetime: 500 });
  now.now += 499;
  equal(await answers.ask("a", NEVER, question), { value: "here", lifetime: 1 });
  now.now += 1;
  equal(await answers.ask("a", NEVER, question), { value: "here", lifetime: 500 });
  equal(question.asked, 2);
});

Deno.test("undefined is an answer as any other", async () => {
  const answers = new Answers<undefined>({ entries: 8, flights: 8 });
  const question = counting(() => ({ value: undefined, lifetime: 10_000 }));
  await answers.ask("a", NEVER, question);
  equal((await answers.ask("a", NEVER, question)).value, undefined);
  equal(question.asked, 1);
});

Deno.test("a failure is repeated for a moment only", async () => {
  const now = clock();
  const answers = new Answers<string>({ entries: 8, flights: 8 }, now);
  const question = counting<string>(() =>
    Promise.reject(new GateError("timeout", "upstream", "Cannot wait: no"))
  );
  await fails(answers.ask("a", NEVER, question), "timeout");
  await fails(answers.ask("a", NEVER, question), "timeout");
  equal(question.asked, 1);
  now.now += FAILURE_LIFETIME;
  await fails(answers.ask("a", NEVER, question), "timeout");
  equal(question.asked, 2);
});

Deno.test("a stray exception becomes a GateError", async () => {
  const answers = new Answers<string>({ entries: 8, flights: 8 });
  await fails(answers.ask("a", NEVER, () => Promise.reject(new TypeError("x"))), "internal");
  await fails(
    answers.ask("b", NEVER, () => {
      throw new TypeError("x");
    }),
    "internal",
  );
});

Deno.test("ten thousand who ask at once ask one question", async () => {
  const answers = new Answers<number>({ entries: 8, flights: 8 });
  const gate = Promise.withResolvers<Answer<number>>();
  const question = counting(() => gate.promise);
  const all = Promise.all(Array.from({ length: 10_000 }, () => answers.ask("a", NEVER, question)));
  gate.resolve({ value: 7, lifetime: 1 });
  for (const { value } of await all) equal(value, 7);
  equal(question.asked, 1);
});

Deno.test("a question under way is called off when the last asker gives up, and not before", async () => {
  const answers = new Answers<number>({ entries: 8, flights: 8 });
  const gate = Promise.withResolvers<Answer<number>>();
  const question = counting(() => gate.promise);
  const [first, second] = [new AbortController(), new AbortController()];
  const asked = [first, second].map(({ signal }) => answers.ask("a", signal, question));
  await Promise.resolve().then(() => first.abort(new GateError("reset", "client", "Cannot wait: gone")));
  await fails(asked[0], "reset");
  equal(question.signals[0].aborted, false);
  second.abort();
  await fails(asked[1], "closed");
  equal(question.signals[0].aborted, true);
  const anew = answers.ask("a", NEVER, question);
  gate.resolve({ value: 3, lifetime: 1 });
  equal((await anew).value, 3);
  equal(question.asked, 2);
});

Deno.test("who comes with an aborted signal asks nothing", async () => {
  const answers = new Answers<number>({ entries: 8, flights: 8 });
  const question = counting(() => ({ value: 1, lifetime: 1 }));
  await fails(answers.ask("a", AbortSignal.abort(), question), "closed");
  equal(question.asked, 0);
});

Deno.test("what is dropped is asked anew, and an older question leaves nothing behind", async () => {
  const answers = new Answers<string>({ entries: 8, flights: 8 });
  const old = Promise.withResolvers<Answer<string>>();
  const before = answers.ask("a", NEVER, () => old.promise);
  answers.drop((key) => key === "a");
  equal((await answers.ask("a", NEVER, () => Promise.resolve({ value: "new", lifetime: 1e6 }))).value, "new");
  old.resolve({ value: "old", lifetime: 1e6 });
  equal((await before).value, "old");
  equal((await answers.ask("a", NEVER, () => Promise.reject(new Error("not asked")))).value, "new");
});

Deno.test("the least lately used answer goes when there are too many", async () => {
  const answers = new Answers<string>({ entries: 2, flights: 8 });
  const question = counting(() => ({ value: "x", lifetime: 1e6 }));
  for (const key of ["a", "b", "a", "c", "a"]) await answers.ask(key, NEVER, question);
  equal(question.asked, 3);
  await answers.ask("b", NEVER, question);
  equal(question.asked, 4);
});

Deno.test("too many questions under way are refused, and room comes back", async () => {
  const answers = new Answers<number>({ entries: 8, flights: 2 });
  const gate = Promise.withResolvers<Answer<number>>();
  const under = ["a", "b"].map((key) => answers.ask(key, NEVER, () => gate.promise));
  await fails(answers.ask("c", NEVER, () => gate.promise), "exhausted");
  gate.resolve({ value: 1, lifetime: 1 });
  await Promise.all(under);
  equal((await answers.ask("c", NEVER, () => gate.promise)).value, 1);
});

Deno.test("disposing ends every question", async () => {
  const answers = new Answers<number>({ entries: 8, flights: 2 });
  const question = (signal: AbortSignal) =>
    new Promise<Answer<number>>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const waiting = answers.ask("a", NEVER, question);
  await Promise.resolve();
  answers[Symbol.dispose]();
  await fails(waiting, "closed");
});
