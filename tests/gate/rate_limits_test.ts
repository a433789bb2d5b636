import fc from "fast-check";
import type { RateLimit } from "../../gate/requests.ts";
import { RateLimits, ratesSize, scopeOf } from "../../gate/rate_limits.ts";
import type { RouteRule } from "../../gate/snapshot.ts";
import { equal, ok } from "../support/assert.ts";
import type { Hammering } from "../support/rate_worker.ts";

/** Two engines over one table, with a clock that the test moves. */
function table(sources?: number) {
  const shared = new SharedArrayBuffer(ratesSize(sources)), time = { us: 1e12 };
  const engine = () => new RateLimits(shared, 7, () => time.us);
  return { time, engines: [engine(), engine()] as const };
}

/** What it should do, for one source: the allowance is whole again at `whole`, us. */
class Model {
  #whole = 0;

  take({ requests, per }: RateLimit, now: number): number {
    const step = Math.ceil(per * 1000 / requests), most = step * requests;
    const next = Math.max(this.#whole, now) + step;
    if (next > now + most) return (next - now - most) / 1000;
    this.#whole = next;
    return 0;
  }
}

const limit = fc.record({
  requests: fc.integer({ min: 1, max: 20 }),
  per: fc.integer({ min: 1, max: 100_000 }),
});
/** Who comes, at which engine, by which route, and how long after the one before, us. */
const coming = fc.tuple(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 0, max: 1 }),
  fc.integer({ min: 0, max: 2 }),
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000_000 })),
);

Deno.test("each source has what a bucket of its own would give it, on all engines together, by each route apart", () => {
  fc.assert(fc.property(fc.array(limit, { minLength: 3, maxLength: 3 }), fc.array(coming), (limits, all) => {
    const { time, engines } = table(), models = new Map<string, Model>();
    for (const [who, engine, route, later] of all) {
      time.us += later;
      const key = `${who} ${route}`, model = models.get(key) ?? new Model();
      models.set(key, model);
      const wait = engines[engine].take(`192.0.2.${who}`, route, limits[route]);
      equal(wait, model.take(limits[route], time.us));
    }
  }));
});

Deno.test("so many may come at once, then one at a time, and who waits as long as it was told is let in", () => {
  const { time, engines: [one] } = table(), rate = { requests: 5, per: 10_000 };
  const take = () => one.take("192.0.2.1", 1, rate);
  for (let i = 0; i < 5; i++) equal(take(), 0);
  equal(take(), 2000);
  time.us += 1_500_000;
  equal(take(), 500);
  time.us += 500_000;
  equal([take(), take()], [0, 2000]);
  time.us += 3_600_000_000;
  equal([take(), take(), take(), take(), take(), take()], [0, 0, 0, 0, 0, 2000]);
});

Deno.test("whatever has room in the table, nobody comes more often than alone", () => {
  const sources = fc.array(coming, { maxLength: 300 });
  fc.assert(fc.property(limit, sources, (rate, all) => {
    const { time, engines } = table(8), models = new Map<string, Model>(); // one bucket, for 27 at once
    for (const [who, engine, route, later] of all) {
      time.us += later;
      const key = `${who} ${route}`, model = models.get(key) ?? new Model();
      models.set(key, model);
      if (engines[engine].take(`192.0.2.${who}`, route, rate) === 0) equal(model.take(rate, time.us), 0, key);
    }
  }));
});

Deno.test("a flood of sources frees nobody, and is over with its time", () => {
  const { time, engines: [one] } = table(64), rate = { requests: 3, per: 10_000 };
  for (let i = 0; i < 3; i++) equal(one.take("192.0.2.1", 1, rate), 0);
  for (let i = 0; i < 100_000; i++) one.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1, rate);
  ok(one.take("192.0.2.1", 1, rate) > 0);
  ok(one.take("192.0.2.2", 1, rate) > 0); // it waits with the flood
  time.us += 10_000_000;
  equal(one.take("192.0.2.2", 1, rate), 0);
});

Deno.test("twenty thousand sources hardly meet each other", () => {
  const { engines: [one] } = table(), rate = { requests: 1, per: 10_000 };
  let met = 0;
  for (let i = 0; i < 20_000; i++) met += Math.sign(one.take(`10.1.${i >> 8}.${i & 255}`, 1, rate));
  ok(met <= 5, `${met} of them`);
});

Deno.test("IPv6 counts by /64, in every spelling", () => {
  const { engines: [one, other] } = table(), rate = { requests: 1, per: 1000 };
  equal(one.take("2001:db8::1", 1, rate), 0);
  ok(other.take("2001:db8:0:0:ffff::2", 1, rate) > 0);
  equal(other.take("2001:db8:0:1::1", 1, rate), 0);
});

Deno.test("a limit of another size finds what was counted under the one before", () => {
  const { engines: [one] } = table();
  for (let i = 0; i < 10; i++) equal(one.take("192.0.2.1", 1, { requests: 10, per: 10_000 }), 0);
  ok(one.take("192.0.2.1", 1, { requests: 5, per: 10_000 }) > 0);
  equal(one.take("192.0.2.1", 1, { requests: 20, per: 20_000 }), 0);
  ok(one.take("192.0.2.1", 1, { requests: 1, per: 1 }) <= 1); // and nobody waits for longer than its limit says
});

Deno.test("a route keeps its number, wherever it stands and whatever it does", () => {
  const route: RouteRule = {
    place: "a.yaml:1:1 routes[0]",
    label: "host=a.example path=/login",
    host: "a.example",
    path: { prefix: "/login" },
    to: [],
    http: {},
  };
  const scope = scopeOf(route);
  const to = [{ target: { host: "10.0.0.1", port: 80 }, weight: 1, health: 0 }];
  equal(
    scopeOf({
      ...route,
      place: "a.yaml:9:9 routes[7]",
      label: "x",
      to,
      http: { timeout: 5 },
      proxyProtocol: "v1",
      upstreamTls: { digest: "x" },
      sources: ["10.0.0.0/8"],
      tls: "terminate",
    }),
    scope,
  );
  for (const other of [{ host: "b.example" }, { path: { prefix: "/logout" } }, { listener: "edge" }]) {
    ok(scopeOf({ ...route, ...other }) !== scope, JSON.stringify(other));
  }
});

/** How many requests two threads let in together. */
async function hammered(hammering: Hammering): Promise<number> {
  const workers = [0, 1].map(() =>
    new Worker(new URL("../support/rate_worker.ts", import.meta.url), { type: "module" })
  );
  const admitted = workers.map((worker) =>
    new Promise<number>((told, failed) => {
      worker.onmessage = ({ data }) => told(data);
      worker.onerror = (event) => failed(new Error(event.message));
      worker.postMessage(hammering);
    })
  );
  try {
    const [one, other] = await Promise.all(admitted);
    return one + other;
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

Deno.test("threads that count at the same time lose no request and no place", async () => {
  const hammering = { sources: 3, requests: 30_000, most: 20_000 };
  equal(await hammered({ ...hammering, shared: new SharedArrayBuffer(ratesSize()) }), 60_000);
  // More sources than there is room for: whoever is let in is counted for whoever takes its place.
  const crowded = { sources: 12, requests: 10_000, most: 9000, shared: new SharedArrayBuffer(ratesSize(8)) };
  ok(await hammered(crowded) <= 12 * 9000);
});
