import { Tally } from "../../gate/tally.ts";
import { equal } from "../support/assert.ts";

Deno.test("what several engines counted is summed", () => {
  const tally = new Tally();
  tally.add({
    lines: "",
    counts: [["edge\ttls\tok\t", 2], ["edge\ttls\treset\tclient", 1]],
    bytes: [["edge", 10, 20]],
  });
  tally.add({ lines: "", counts: [["edge\ttls\tok\t", 3]], bytes: [["edge", 1, 2], ["local", 5, 0]] });
  tally.hit([["perSource", 2]]);
  tally.hit([["perSource", 1], ["descriptors", 4]]);
  equal(tally.status(), {
    ended: [
      { listener: "edge", protocol: "tls", outcome: "ok", count: 5 },
      { listener: "edge", protocol: "tls", outcome: "reset", side: "client", count: 1 },
    ],
    bytes: { edge: { up: 11, down: 22 }, local: { up: 5, down: 0 } },
    limitHits: { perSource: 3, descriptors: 4 },
  });
});

Deno.test("before anything happened there is nothing", () => {
  equal(new Tally().status(), { ended: [], bytes: {}, limitHits: {} });
});
