/** Visits that another engine is told of: those somebody looks at, in batches, and no more than are worth it. */
import type { Report } from "../../../gate/orders.ts";
import { FarWatch } from "../../../gate/mesh/far_visits.ts";
import type { LiveRow } from "../../../gate/mesh/live_names.ts";
import { equal } from "../../support/assert.ts";
import { onLoop, pause } from "../../support/on_loop.ts";

const row = (connection: number, engine: number): LiveRow => (
  { id: connection, connection, engine, names: ["pi.m"], port: 80 }
);
const visit = (at: number) => ({ at, name: "pi.m:80", from: "192.0.2.1", what: "GET /" });

Deno.test("visits to what is looked at are told in one batch for each engine, the last ones, and how many came before", () =>
  onLoop(async () => {
    const reports: Report[] = [], far = new FarWatch((report) => reports.push(report));
    equal([far.any, far.of(row(1, 1))], [false, undefined]);
    for (const connection of [1, 2]) far.watching(connection, true);
    equal([far.any, far.of(row(3, 1))], [true, undefined]);
    for (let at = 0; at < 1000; at++) far.of(row(1, 1))![0](visit(at));
    far.of(row(2, 2))![0](visit(7));
    while (reports.length < 2) await pause(10);
    const told = reports.map((report) =>
      report.op === "visits" ? [report.engine, ...report.visits] : report.op
    );
    equal(told[1], [2, [2, { visits: [visit(7)], leftOut: 0 }]]);
    const last = Array.from({ length: 150 }, (_, at) => visit(850 + at));
    equal(told[0], [1, [1, { visits: last, leftOut: 850 }]]);
    far.watching(1, false);
    equal(far.of(row(1, 1)), undefined);
  }));
