import type { Target } from "../../gate/address.ts";
import type { Destination, Resolver } from "../../gate/contracts.ts";
import { GateError } from "../../gate/errors.ts";
import { Discovery } from "../../routes/discovery.ts";
import { conformResolver } from "../conformance/resolver.ts";
import { equal, fails, ok } from "../support/assert.ts";

const NEVER = new AbortController().signal;

/** A source that knows some names, answers with the port asked for, and counts. */
class Toy implements Resolver {
  readonly asked: string[] = [];
  changed: (names: readonly string[]) => void = () => {};
  disposed = false;

  constructor(
    readonly source: string,
    readonly places: Record<string, string | GateError>,
    readonly lifetime = 1000,
  ) {}

  async resolve(target: Target, _signal: AbortSignal): Promise<Destination | undefined> {
    this.asked.push(target.host);
    const place = await Promise.resolve(this.places[target.host]);
    if (place instanceof GateError) throw place;
    if (place === undefined) return undefined;
    const endpoints = [{ address: { host: place, port: target.port }, layers: [] }];
    return { target, endpoints, source: this.source, lifetime: this.lifetime };
  }

  onChange(changed: (names: readonly string[]) => void): void {
    this.changed = changed;
  }

  [Symbol.dispose](): void {
    this.disposed = true;
  }
}

const broken = new GateError("unreachable", "upstream", "Cannot resolve: broken");

conformResolver("discovery", () => {
  const toy = new Toy("toy", { "a.test": "10.0.0.1", "b.test": broken });
  const discovery = new Discovery([new Toy("other", {}), toy]);
  return Promise.resolve({
    resolver: discovery,
    known: { host: "a.test", port: 80 },
    unknown: { host: "nobody.test", port: 80 },
    broken: { host: "b.test", port: 80 },
    change: () => Promise.resolve(toy.changed(["*.test"])),
    [Symbol.asyncDispose]: () => Promise.resolve(discovery[Symbol.dispose]()),
  });
}, ["broken", "change"]);

Deno.test("sources are asked in order, and the first that knows has answered", async () => {
  const [first, second] = [
    new Toy("first", { "a.test": "10.0.0.1" }),
    new Toy("second", { "b.test": "10.0.0.2" }),
  ];
  using discovery = new Discovery([first, second]);
  equal((await discovery.resolve({ host: "a.test", port: 1 }, NEVER))?.source, "first");
  equal((await discovery.resolve({ host: "b.test", port: 1 }, NEVER))?.source, "second");
  equal(await discovery.resolve({ host: "c.test", port: 1 }, NEVER), undefined);
  equal(first.asked, ["a.test", "b.test", "c.test"]);
  equal(second.asked, ["b.test", "c.test"]);
});

Deno.test("a source that fails ends the question: the next one is never asked", async () => {
  const [first, second] = [
    new Toy("first", { "a.test": broken }),
    new Toy("second", { "a.test": "10.6.6.6" }),
  ];
  using discovery = new Discovery([first, second]);
  await fails(discovery.resolve({ host: "a.test", port: 1 }, NEVER), "unreachable");
  equal(second.asked, []);
});

Deno.test("a failure is forgotten after a moment, a no after a while, an answer after its lifetime", async () => {
  let now = 0;
  const toy = new Toy("toy", { "a.test": "10.0.0.1", "b.test": broken }, 60_000);
  using discovery = new Discovery([toy], { now: () => now });
  const ask = async (host: string) => {
    await discovery.resolve({ host, port: 1 }, NEVER).catch(() => undefined);
    return toy.asked.splice(0).length;
  };
  equal([await ask("a.test"), await ask("b.test"), await ask("c.test")], [1, 1, 1]);
  equal([await ask("a.test"), await ask("b.test"), await ask("c.test")], [0, 0, 0]);
  now += 1000;
  equal([await ask("a.test"), await ask("b.test"), await ask("c.test")], [0, 1, 0]);
  now += 4000;
  equal([await ask("a.test"), await ask("b.test"), await ask("c.test")], [0, 1, 1]);
  equal((await discovery.resolve({ host: "a.test", port: 1 }, NEVER))?.lifetime, 55_000);
  now += 55_000;
  equal(await ask("a.test"), 1);
});

Deno.test("every spelling of a name is one question", async () => {
  const toy = new Toy("toy", { "a.test": "10.0.0.1", "xn--bcher-kva.test": "10.0.0.2" });
  using discovery = new Discovery([toy]);
  for (const host of ["a.test", "A.Test", "a.test."]) {
    equal((await discovery.resolve({ host, port: 1 }, NEVER))?.target.host, "a.test");
  }
  ok(await discovery.resolve({ host: "bücher.test", port: 1 }, NEVER));
  equal(toy.asked, ["a.test", "xn--bcher-kva.test"]);
});

Deno.test("each port has its own answer", async () => {
  using discovery = new Discovery([new Toy("toy", { "a.test": "10.0.0.1" })]);
  for (const port of [80, 443]) {
    equal((await discovery.resolve({ host: "a.test", port }, NEVER))?.endpoints[0].address.port, port);
  }
});

Deno.test("addresses and unix sockets answer for themselves, in one spelling, and nobody is asked", async () => {
  const toy = new Toy("toy", {});
  using discovery = new Discovery([toy]);
  const at = async (host: string) =>
    (await discovery.resolve({ host, port: 8 }, NEVER))?.endpoints[0].address.host;
  equal(await at("10.0.0.1"), "10.0.0.1");
  equal(await at("0x7f.1"), "127.0.0.1");
  equal(await at("2130706433"), "127.0.0.1");
  equal(await at("::FFFF:10.0.0.1"), "10.0.0.1");
  equal(await at("FD00:0::1"), "fd00::1");
  equal(await at("unix:/run/x.sock"), "unix:/run/x.sock");
  equal(await at("unix:@x"), "unix:@x");
  equal(toy.asked, []);
  equal((await discovery.resolve({ host: "::1", port: 8 }, NEVER))?.source, "literal");
});

Deno.test("a change forgets the names it covers and is passed on", async () => {
  const toy = new Toy("toy", { "a.test": "10.0.0.1", "b.example": "10.0.0.2" });
  using discovery = new Discovery([toy]);
  const heard: (readonly string[])[] = [];
  discovery.onChange((names) => heard.push(names));
  for (const host of ["a.test", "b.example"]) await discovery.resolve({ host, port: 1 }, NEVER);
  toy.changed(["*.test"]);
  for (const host of ["a.test", "b.example"]) await discovery.resolve({ host, port: 1 }, NEVER);
  equal(toy.asked, ["a.test", "b.example", "a.test"]);
  equal(heard, [["*.test"]]);
});

Deno.test("a source that never answers is a timeout and not a no", async () => {
  const deaf: Resolver = { resolve: () => new Promise(() => {}) };
  const next = new Toy("next", { "a.test": "10.6.6.6" });
  using discovery = new Discovery([deaf, next], { deadline: 20 });
  await fails(discovery.resolve({ host: "a.test", port: 1 }, NEVER), "timeout");
  equal(next.asked, []);
});

Deno.test("a source that knows a name but no place of it is an error", async () => {
  const empty: Resolver = {
    resolve: (target) => Promise.resolve({ target, endpoints: [], source: "empty", lifetime: 1000 }),
  };
  using discovery = new Discovery([empty, new Toy("next", { "a.test": "10.6.6.6" })]);
  await fails(discovery.resolve({ host: "a.test", port: 1 }, NEVER), "unreachable");
});

Deno.test("thousands who ask at once ask each source once", async () => {
  const toy = new Toy("toy", { "a.test": "10.0.0.1" });
  using discovery = new Discovery([toy]);
  await Promise.all(
    Array.from({ length: 5000 }, () => discovery.resolve({ host: "a.test", port: 1 }, NEVER)),
  );
  equal(toy.asked.length, 1);
});

Deno.test("disposing discovery disposes its sources", () => {
  const toy = new Toy("toy", {});
  new Discovery([toy])[Symbol.dispose]();
  ok(toy.disposed);
});
