import { supposedIdentity } from "../../../gate/identity/identity.ts";
import { NameLog } from "../../../gate/mesh/name_log.ts";
import { equal } from "../../support/assert.ts";

const asking = (name: string, identity = "role:a") => (
  { id: 1, engine: 0, connection: 1, name, port: 80, identity: supposedIdentity([identity]) }
);

Deno.test("who asks again and again for another's name is told once a minute", () => {
  const log = new NameLog(), told = (now: number) => log.refused(asking("pi.m"), "Cannot", now);
  equal(told(0), {
    ...{ level: "warn", event: "name", text: "Cannot" },
    fields: { target: "pi.m:80", identity: "role:a" },
  });
  equal([told(1), told(59_999)], [undefined, undefined]);
  equal(told(60_000)?.text, "Cannot");
  equal(log.refused(asking("pi.m", "role:b"), "Cannot", 60_001)?.fields?.identity, "role:b");
});

Deno.test("a thousand who take names over, or want them, are some lines", () => {
  const log = new NameLog();
  const lines = Array.from({ length: 1000 }, (_, i) => [
    log.takenOver(asking(`n${i}.m`), i),
    log.refused(asking(`n${i}.m`), "Cannot", i),
  ]).flat().filter((message) => message !== undefined);
  equal(lines.length, 64);
  equal(lines[0].text, "n0.m:80 went over to another connection of its key");
});
