import { Watchdog } from "../../../gate/commands/watchdog.ts";
import { equal } from "../../support/assert.ts";

/** Looks at these times, ms; `silent` says when the engines do not turn. When it was told. */
function told(times: readonly number[], silent: (at: number) => boolean): number[] {
  let at = 0;
  const pings: number[] = [];
  using watchdog = new Watchdog(15_000, { healthy: () => !silent(at), alive: () => pings.push(at) });
  for (at of times) watchdog.look(at);
  return pings;
}

const everySecond = Array.from({ length: 46 }, (_, i) => i * 1000);

Deno.test("the watchdog hears when it is due", () => {
  equal(told(everySecond, () => false), [0, 15_000, 30_000, 45_000]);
});

Deno.test("an engine that is silent when the word is due costs the next look, not the next half", () => {
  equal(told(everySecond, (at) => at >= 14_000 && at < 17_000), [0, 17_000, 32_000]);
});

Deno.test("engines that stay silent are told as alive no more", () => {
  equal(told(everySecond, (at) => at > 0), [0]);
});
