/** Streams from one engine to what another one offers: both ends here, on one loop. */
import { PAIR_MARKS_SIZE, PairMarks } from "../../../gate/engine/pair_marks.ts";
import { GateError, NotConnected } from "../../../gate/errors.ts";
import { Crossings } from "../../../gate/mesh/crossings.ts";
import type { OpenHere } from "../../../gate/mesh/crossings.ts";
import { equal } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";

const TARGET = { host: "pi.m", port: 80 }, FROM = { address: "127.0.0.1", port: 1 };

/** What who asks is told, where the other side answers so. */
function asked(open: OpenHere): Promise<GateError | undefined> {
  const memory = new SharedArrayBuffer(PAIR_MARKS_SIZE), marks = new PairMarks(memory);
  const idleTimeout = () => 1000;
  const other = new Crossings({ engine: 1, marks, tell: () => {}, idleTimeout });
  const own = new Crossings({
    engine: 0,
    marks,
    tell: (_engine, crossing) => other.serve(crossing, open),
    idleTimeout,
  });
  const row = { id: 1, engine: 1 } as Parameters<Crossings["open"]>[0];
  return new Promise((resolve) => own.open(row, TARGET, FROM, resolve));
}

const refusals = {
  "nobody is connected any more": new NotConnected("unreachable", "upstream", "gone"),
  "who is connected refuses": new GateError("refused", "upstream", "not here"),
};

for (const [what, reason] of Object.entries(refusals)) {
  Deno.test(`who asks across engines is told that ${what}, and no socket is left of it`, () =>
    onLoop(async () => {
      const told = await asked(() => {
        throw reason;
      });
      equal(told?.failure, reason.failure);
    }));
}
