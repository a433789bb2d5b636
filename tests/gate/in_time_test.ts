import { inTime } from "../../gate/in_time.ts";
import { equal, rejects } from "../support/assert.ts";

Deno.test("what is over in time is, and what is not is not waited for", async () => {
  equal(await inTime(Promise.resolve(7), 60_000), true);
  const never = Promise.withResolvers<void>();
  equal(await inTime(never.promise, 1), false);
  never.resolve();
});

Deno.test("what fails in time fails here, and later it is nobody's any more", async () => {
  await rejects(inTime(Promise.reject(new Error("broken")), 60_000), /broken/);
  const late = Promise.withResolvers<void>();
  equal(await inTime(late.promise, 1), false);
  late.reject(new Error("late"));
});
