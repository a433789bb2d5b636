import { LiveNames, type LiveRow } from "../../../gate/mesh/live_names.ts";
import { equal } from "../../support/assert.ts";

const row = (id: number, port: number, ...names: string[]): LiveRow => ({
  id,
  connection: 1,
  engine: 0,
  names,
  port,
});

Deno.test("a name has the ports that are offered, and 22 where 15022 is", () => {
  const names = new LiveNames();
  names.apply({ live: [row(1, 15022, "a.m"), row(2, 80, "a.m", "b.m")], gone: [] });
  const find = (host: string, port: number) => names.find({ host, port })?.id;
  equal([find("a.m", 22), find("a.m", 15022), find("a.m", 80), find("a.m", 443)], [1, 1, 2, undefined]);
  equal([find("b.m", 80), find("b.m", 22), find("c.m", 80)], [2, undefined, undefined]);
  names.apply({ live: [row(3, 22, "a.m")], gone: [] });
  equal([find("a.m", 22), find("a.m", 15022)], [3, 1]);
});

Deno.test("what took a name over stays when the one before goes, in whatever order that is told", () => {
  const names = new LiveNames();
  names.apply({ live: [row(1, 80, "a.m")], gone: [] });
  names.apply({ live: [row(2, 80, "a.m")], gone: [1] });
  equal(names.find({ host: "a.m", port: 80 })?.id, 2);
  names.apply({ live: [row(3, 80, "a.m")], gone: [] });
  names.apply({ live: [], gone: [2] });
  equal([names.find({ host: "a.m", port: 80 })?.id, names.any], [3, true]);
  names.apply({ live: [], gone: [3, 4] });
  equal([names.find({ host: "a.m", port: 80 }), names.any, names.rows], [undefined, false, []]);
});
