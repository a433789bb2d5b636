/** The series of requests by route, those of nothing yet too. Routes that are gone keep what they counted. */
import type { Sample } from "./exposition.ts";
import type { Measured } from "./measured.ts";
import { STATUS_CLASSES } from "./request_counts.ts";

/** Every route has its answers of each class from the start, as 0. */
export function requestSamples({ totals, requestRoutes }: Measured): Sample[] {
  const counted = totals.requests.flatMap(({ route, statuses }) =>
    statuses.map((count, at): Sample => [count, route, STATUS_CLASSES[at]])
  );
  const expected = requestRoutes.flatMap((route) =>
    STATUS_CLASSES.map((status): Sample => [0, route, status])
  );
  return [...counted, ...expected];
}

export function requestByteSamples({ totals, requestRoutes }: Measured): Sample[] {
  const counted = totals.requests.flatMap(({ route, up, down }): Sample[] => [
    [up, route, "in"],
    [down, route, "out"],
  ]);
  const expected = requestRoutes.flatMap((route): Sample[] => [[0, route, "in"], [0, route, "out"]]);
  return [...counted, ...expected];
}
