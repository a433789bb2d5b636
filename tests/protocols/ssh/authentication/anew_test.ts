/** Questions that are asked again while a login lasts. */
import { Anew } from "../../../../protocols/ssh/authentication/anew.ts";
import { Refusal } from "../../../../protocols/ssh/keys/fields.ts";
import { equal } from "../../../support/assert.ts";

/** Answers of the test's, and what came of them. */
function asked() {
  const questions: PromiseWithResolvers<Refusal | undefined>[] = [], lost: string[] = [];
  const anew = new Anew(() => {
    const question = Promise.withResolvers<Refusal | undefined>();
    questions.push(question);
    return question.promise;
  }, (why) => lost.push(why));
  return { anew, questions, lost };
}

const settled = () => new Promise((later) => setTimeout(later, 0));

Deno.test("what is worth nothing now ends the login, and what is right does not", async () => {
  const { anew, questions, lost } = asked();
  anew.ask();
  questions[0].resolve(undefined);
  await settled();
  equal(lost, []);
  anew.ask();
  questions[1].resolve(new Refusal("its key is not known"));
  await settled();
  equal(lost, ["its key is not known"]);
});

Deno.test("where nobody can tell it goes on, and is asked at the next time; what is known is not", async () => {
  const { anew, questions, lost } = asked();
  anew.askIfDue();
  equal(questions.length, 0);
  anew.ask();
  questions[0].reject(new Error("its keys are not known"));
  await settled();
  anew.askIfDue();
  equal([questions.length, lost], [2, []]);
  questions[1].resolve(undefined);
  await settled();
  anew.askIfDue();
  equal(questions.length, 2);
});

Deno.test("rules that change while it is asked make it ask once more, and nobody is asked who is gone", async () => {
  const { anew, questions, lost } = asked();
  for (let i = 0; i < 3; i++) anew.ask();
  questions[0].resolve(undefined);
  await settled();
  equal(questions.length, 2);
  anew[Symbol.dispose]();
  questions[1].resolve(new Refusal("late"));
  await settled();
  anew.ask();
  equal([questions.length, lost], [2, []]);
});
