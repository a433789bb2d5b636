import fc from "fast-check";
import { DURATIONS, Histogram, quantile } from "../../gate/durations.ts";
import { equal, ok } from "../support/assert.ts";

const of = (times: readonly number[]) => {
  const histogram = new Histogram();
  for (const ms of times) histogram.observe(ms);
  return histogram.take();
};

Deno.test("a quantile lies in the bucket of who is at its place, and nowhere else", () => {
  equal(quantile(of([]), 0.5), undefined);
  equal(quantile(of([3]), 1), 5);
  equal(quantile(of([0.1, 0.2, 0.3, 0.4]), 0.5), 0.5);
  equal(quantile(of([20_000]), 0.99), 10_000);
  const mostly = of([...Array<number>(99).fill(2), 800]);
  ok(quantile(mostly, 0.5)! < 2.5 && quantile(mostly, 0.99)! <= 2.5 && quantile(mostly, 1) === 1000);
  const times = fc.array(fc.float({ min: 0, max: 9999, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(times, fc.double({ min: 0.01, max: 1, noNaN: true }), (times, share) => {
    const sorted = times.toSorted((a, b) => a - b);
    const at = sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)];
    const bucket = DURATIONS.findIndex((bound) => at <= bound);
    const found = quantile(of(times), share)!;
    ok(found >= (DURATIONS[bucket - 1] ?? 0) && found <= DURATIONS[bucket], `${found} for ${at}`);
  }));
});
