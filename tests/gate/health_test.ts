import { Health, HEALTH_SIZE, OWN_HEALTH_SIZE } from "../../gate/health.ts";
import type { RouteEndpoint } from "../../gate/snapshot.ts";
import { equal, ok } from "../support/assert.ts";

const endpoint = (health: number, weight = 1): RouteEndpoint => ({
  target: { host: "10.0.0.1", port: 80 + health },
  weight,
  health,
});

/** Engines share the table and the clock, which a test moves. */
function table() {
  const shared = new SharedArrayBuffer(HEALTH_SIZE), time = { now: 1000 };
  const own = new SharedArrayBuffer(OWN_HEALTH_SIZE);
  const engine = (own = new SharedArrayBuffer(OWN_HEALTH_SIZE)) => new Health(shared, own, () => time.now);
  return { time, own, one: engine(own), other: engine() };
}

Deno.test("what a dead engine counted is taken out, what others counted stays", () => {
  const { own, one, other } = table();
  for (let i = 0; i < 3; i++) one.entered(endpoint(0));
  other.entered(endpoint(0));
  one.left(endpoint(0));
  other.forgive(own);
  equal(other.state(endpoint(0)), { active: 1, usable: true });
});

Deno.test("connections spread by weight, over all engines", () => {
  const { one, other } = table(), endpoints = [endpoint(0, 1), endpoint(1, 2), endpoint(2, 5)];
  for (let i = 0; i < 800; i++) {
    const health = i % 2 ? one : other;
    health.entered(health.order(endpoints)[0]);
  }
  const active = endpoints.map((each) => one.state(each).active);
  equal(active.reduce((a, b) => a + b), 800);
  active.forEach((count, i) => ok(Math.abs(count - [100, 200, 500][i]) <= 5, `shares ${active}`));
});

Deno.test("who ends makes room: the least loaded comes first", () => {
  const { one } = table(), endpoints = [endpoint(0), endpoint(1)];
  for (const each of [0, 0, 0, 1]) one.entered(endpoints[each]);
  equal(one.order(endpoints)[0], endpoints[1]);
  for (let i = 0; i < 3; i++) one.left(endpoints[0]);
  equal(one.order(endpoints)[0], endpoints[0]);
});

Deno.test("equal ones take turns by chance", () => {
  const { one } = table(), endpoints = [endpoint(0), endpoint(1)];
  const first = new Set(Array.from({ length: 100 }, () => one.order(endpoints)[0].health));
  equal(first.size, 2);
});

Deno.test("two failures in a row put an endpoint behind the others, for longer each time, and it comes back", () => {
  const { one, other, time } = table(), bad = endpoint(0, 1e12), good = endpoint(1);
  const first = () => other.order([bad, good])[0];
  one.dialed(bad, false);
  equal(first(), bad);
  one.dialed(bad, true);
  one.dialed(bad, false);
  equal(first(), bad);
  for (const pause of [5, 10, 20, 40, 60, 60]) {
    other.dialed(bad, false);
    equal(one.order([bad, good]), [good, bad]); // still there, as the last resort
    time.now += pause - 1;
    equal(first(), good);
    time.now += 1;
    equal(first(), bad);
  }
  one.dialed(bad, true);
  one.dialed(bad, false);
  equal(first(), bad);
});

Deno.test("when all fail all are tried", () => {
  const { one } = table(), endpoints = [endpoint(0), endpoint(1)];
  for (const each of endpoints) for (let i = 0; i < 3; i++) one.dialed(each, false);
  equal(one.order(endpoints).length, 2);
});

Deno.test("two failed checks leave an endpoint out, one good check brings it back at once", () => {
  const { one } = table(), checked = endpoint(0, 1e12), other = endpoint(1); // chance decides by weight
  const first = () => one.order([checked, other])[0];
  one.checked(checked, false);
  equal(first(), checked);
  one.checked(checked, false);
  equal([first(), one.state(checked).usable], [other, false]);
  one.checked(checked, true);
  equal(first(), checked);
  for (let i = 0; i < 4; i++) one.dialed(checked, false);
  equal(first(), other);
  one.checked(checked, true);
  equal(first(), checked);
});

Deno.test("the clock of the machine fits the table", () => {
  const health = new Health(new SharedArrayBuffer(HEALTH_SIZE), new SharedArrayBuffer(OWN_HEALTH_SIZE));
  ok(health.clock() > 0 && health.clock() < 2 ** 31);
  for (let i = 0; i < 2; i++) health.dialed(endpoint(0), false);
  equal(health.state(endpoint(0)).usable, false);
});
