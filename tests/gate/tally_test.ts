import { Tally } from "../../gate/tally.ts";
import { DURATIONS, type Durations } from "../../gate/journal.ts";
import { equal } from "../support/assert.ts";

const none = (): Durations => ({ counts: Array(DURATIONS.length + 1).fill(0), sum: 0 });
const quick = (times: number): Durations => ({ counts: none().counts.with(0, times), sum: times / 2 });

Deno.test("what several engines counted is summed", () => {
  const tally = new Tally();
  tally.add({
    lines: "",
    counts: [["edge\ttls\tok\t", 2], ["edge\ttls\treset\tclient", 1]],
    bytes: [["edge", 10, 20]],
    sniff: quick(2),
    dial: none(),
    authFailures: [["edge\tsocks", 1]],
  });
  tally.add({
    lines: "",
    counts: [["edge\ttls\tok\t", 3]],
    bytes: [["edge", 1, 2], ["local", 5, 0]],
    sniff: quick(1),
    dial: quick(4),
    authFailures: [["edge\tsocks", 2]],
  });
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
  });
});

Deno.test("before anything happened there is nothing", () => {
  equal(new Tally().status(), {
    ended: [],
    bytes: {},
    limitHits: {},
    authFailures: [],
    sniff: none(),
    dial: none(),
  });
});
