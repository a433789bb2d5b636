import { Tally } from "../../gate/tally.ts";
import { DURATIONS, type Durations } from "../../gate/durations.ts";
import type { CountedRequests } from "../../gate/request_counts.ts";
import { equal } from "../support/assert.ts";

const none = (): Durations => ({ counts: Array(DURATIONS.length + 1).fill(0), sum: 0 });
const quick = (times: number): Durations => ({ counts: none().counts.with(0, times), sum: times / 2 });
const EMPTY = {
  lines: new Uint8Array(),
  counts: [],
  bytes: [],
  sniff: none(),
  dial: none(),
  authFailures: [],
};
/** So many answers of 2xx. */
const requests = (route: string, times: number, inFlight: number): CountedRequests => ({
  ...{ route, inFlight, statuses: [0, 0, times, 0, 0, 0], retries: 0, up: times, down: 2 * times },
  ...{ whole: quick(times), waited: quick(times) },
});

Deno.test("what several engines counted is summed", () => {
  const tally = new Tally();
  tally.add({
    lines: new Uint8Array(),
    counts: [["edge\ttls\tok\t", 2], ["edge\ttls\treset\tclient", 1]],
    bytes: [["edge", 10, 20]],
    sniff: quick(2),
    dial: none(),
    authFailures: [["edge\tsocks", 1]],
    requests: [requests("a", 1, 4)],
  }, 0);
  tally.add({
    lines: new Uint8Array(),
    counts: [["edge\ttls\tok\t", 3]],
    bytes: [["edge", 1, 2], ["local", 5, 0]],
    sniff: quick(1),
    dial: quick(4),
    authFailures: [["edge\tsocks", 2]],
    requests: [requests("a", 2, 1), requests("b", 0, 1)],
  }, 1);
  tally.hit([["perSource", 2]]);
  tally.hit([["perSource", 1], ["descriptors", 4]]);
  equal(tally.status(), {
    ended: [
      { listener: "edge", protocol: "tls", outcome: "ok", count: 5 },
      { listener: "edge", protocol: "tls", outcome: "reset", side: "client", count: 1 },
    ],
    bytes: { edge: { up: 11, down: 22 }, local: { up: 5, down: 0 } },
    limitHits: { perSource: 3, descriptors: 4 },
    authFailures: [{ listener: "edge", protocol: "socks", count: 3 }],
    sniff: quick(3),
    dial: quick(4),
    requests: [requests("a", 3, 5), requests("b", 0, 1)],
  });
});

Deno.test("what is in flight on an engine is what it told last, and nothing once it was started again", () => {
  const tally = new Tally(), batch = { ...EMPTY, requests: [requests("a", 0, 4)] };
  const inFlight = () => tally.status().requests.map((one) => one.inFlight);
  tally.add(batch, 0);
  tally.add(batch, 1);
  tally.add({ ...EMPTY, requests: [requests("a", 1, 0)] }, 0);
  equal(inFlight(), [4]);
  tally.started(1);
  equal(inFlight(), [0]);
});

Deno.test("before anything happened there is nothing", () => {
  equal(new Tally().status(), {
    ended: [],
    bytes: {},
    limitHits: {},
    authFailures: [],
    sniff: none(),
    dial: none(),
    requests: [],
  });
});
