/** The keys of an issuer from a real server: kept, renewed, stale while it is down, bounded. */
import { causeChain, type GateError } from "../../gate/errors.ts";
import { RemoteKeys } from "../../gate/remote_keys.ts";
import { Scope } from "../../gate/scope.ts";
import { equal, ok } from "../support/assert.ts";
import { TestIssuer } from "../support/issuer.ts";

const MINUTE = 60_000, DAY = 24 * 60 * MINUTE;

/** Keys of an issuer at a time that the test moves. */
class World implements AsyncDisposable {
  now = 0;
  readonly said: string[] = [];
  readonly scope = new Scope((name, thrown) => this.said.push(`${name}: ${causeChain(thrown)}`));
  readonly keys: RemoteKeys;

  constructor(readonly issuer: TestIssuer) {
    const { scope } = this, now = () => this.now;
    this.keys = new RemoteKeys("https://login.example", issuer.url, {
      ...{ scope, now },
      say: ({ level, text }) => this.said.push(`${level} ${text}`),
    });
  }

  static async make(): Promise<World> {
    return new World(await TestIssuer.start());
  }

  async kids(): Promise<unknown[]> {
    return (await this.keys.current()).keys.map(({ kid }) => kid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scope.close(1000);
    await this.issuer[Symbol.asyncDispose]();
  }
}

const refusal = (asked: Promise<unknown>): Promise<GateError> =>
  asked.then(() => Promise.reject(new Error("it did not fail")), (thrown) => thrown);

const down = () => new Response("no", { status: 503 });

Deno.test("keys are fetched when they are first needed, once for all who ask, and kept for ten minutes", async () => {
  await using world = await World.make();
  equal(world.issuer.asked, 0);
  equal(await Promise.all([world.kids(), world.kids(), world.kids()]), [["one"], ["one"], ["one"]]);
  world.now += 9 * MINUTE;
  equal([await world.kids(), world.issuer.asked], [["one"], 1]);
  await world.issuer.addKey("two");
  world.now += 2 * MINUTE;
  equal([await world.kids(), world.issuer.asked], [["one", "two"], 2]);
  world.issuer.keys.delete("one");
  world.now += 11 * MINUTE;
  equal(await world.kids(), ["two"]);
  equal(world.said, []);
});

Deno.test("a key that is looked for and not there makes one fetch, and the next one after ten seconds", async () => {
  await using world = await World.make();
  await world.kids();
  await world.issuer.addKey("two");
  const [one, other] = await Promise.all([world.keys.renewed(), world.keys.renewed()]);
  equal([one?.keys.length, other?.keys.length, world.issuer.asked], [2, 2, 2]);
  world.now += 9_999;
  equal([await world.keys.renewed(), world.issuer.asked], [undefined, 2]);
  world.now += 1;
  ok(await world.keys.renewed());
  equal(world.issuer.asked, 3);
});

Deno.test("while the URL fails the last keys go on for a day, nobody waits, and the log says it once", async () => {
  await using world = await World.make();
  await world.kids();
  world.issuer.answer = down;
  world.now += 11 * MINUTE;
  equal([await world.kids(), world.issuer.asked], [["one"], 2]);
  equal([await world.kids(), world.issuer.asked], [["one"], 2]); // it rests
  const held = Promise.withResolvers<Response>();
  world.issuer.answer = () => held.promise;
  world.now += 5000;
  equal(await world.kids(), ["one"]); // though nothing has answered yet
  held.resolve(down());
  await world.keys.renewed();
  world.issuer.answer = down;
  world.now += DAY;
  const reason = await refusal(world.keys.current());
  ok(reason.failure === "unreachable" && /the answer is 503/.test(causeChain(reason)), causeChain(reason));
  equal(world.said.length, 1);
  ok(/^warn the keys of .* cannot be had, the last ones go on for a day: .*503/.test(world.said[0]));
  world.issuer.answer = undefined;
  world.now += 5000;
  equal(await world.kids(), ["one"]);
  equal(world.said.slice(1), ["info the keys of https://login.example are there again"]);
});

Deno.test("what is no key set is no answer: nothing, too much, a redirect, another text", async () => {
  const answers: (() => Response)[] = [
    () => new Response(""),
    () => new Response("<html>"),
    () => new Response('{"keys":[]}'),
    () => new Response(`{"keys":[],"x":"${"x".repeat(1024 * 1024)}"}`),
    () => new Response("{", { status: 404 }),
    () => new Response(null, { status: 302, headers: { location: "/elsewhere" } }),
    () => new Response(null, { status: 204 }),
  ];
  for (const answer of answers) {
    await using world = await World.make();
    world.issuer.answer = answer;
    const reason = await refusal(world.keys.current());
    equal([reason.failure, reason.side, world.issuer.asked], ["unreachable", "gate", 1]);
    ok(/cannot be had, its tokens cannot be verified/.test(world.said[0]), world.said[0]);
    await refusal(world.keys.current());
    equal(world.issuer.asked, 1); // it rests
  }
});

Deno.test("a gate that stops waits for no server that hangs", async () => {
  const held = Promise.withResolvers<Response>(), came = Promise.withResolvers<void>();
  await using world = await World.make();
  world.issuer.answer = () => {
    came.resolve();
    return held.promise;
  };
  const asked = refusal(world.keys.current());
  await came.promise;
  equal(await world.scope.close(5000), []);
  equal([(await asked).failure, world.said], ["unreachable", []]);
  held.resolve(new Response());
});
