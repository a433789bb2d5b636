import { connectionRates, listenerRates } from "../../../gate/commands/rates.ts";
import type { Status } from "../../../gate/operations.ts";
import { liveConnection, STATUS } from "../../support/admin_api.ts";
import { equal } from "../../support/assert.ts";

const [edge, local] = STATUS.listeners;

Deno.test("a listener's rates are what was added in a second", () => {
  const ended = { listener: "edge", protocol: "tls", outcome: "denied", side: "client" };
  const before: Status = { ...STATUS, ended: [{ ...ended, count: 4 }] };
  const now: Status = {
    ...STATUS,
    listeners: [{ ...edge, active: 4, ended: 14, up: edge.up + 500, down: edge.down + 1000 }, local],
    ended: [{ ...ended, count: 7 }, { ...ended, outcome: "reset", count: 1 }, {
      ...ended,
      outcome: "ok",
      count: 9,
    }],
  };
  const rates = listenerRates(now, { sample: before, seconds: 2 });
  equal(rates.get("edge"), { opened: 3, failed: 2, up: 250, down: 500 });
  equal(rates.get("local"), { opened: 0, failed: 0, up: 0, down: 0 });
});

Deno.test("of a gate that started again between two samples everything is new; nothing is negative", () => {
  const fresh: Status = { ...STATUS, listeners: [{ ...edge, active: 1, ended: 1, up: 10, down: 20 }] };
  const before = { sample: STATUS, seconds: 1 };
  equal(listenerRates(fresh, before).get("edge"), { opened: 0, failed: 0, up: 0, down: 0 });
  const restarted = { ...fresh, startedAt: "2026-02-02T00:00:00.000Z" };
  equal(listenerRates(restarted, before).get("edge"), { opened: 2, failed: 0, up: 10, down: 20 });
});

Deno.test("a connection's rates go by its id, and by when it began", () => {
  const old = liveConnection(1, { up: 100, down: 0, began: 5 });
  const rates = connectionRates(
    [{ ...old, up: 300, down: 50 }, liveConnection(2, { up: 80, down: 0 })],
    { sample: [old, liveConnection(2, { up: 70, began: 1 })], seconds: 0.5 },
  );
  equal([rates.get(1), rates.get(2)], [{ up: 400, down: 100 }, { up: 160, down: 0 }]);
});
