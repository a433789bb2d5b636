import { LIMIT_NAMES } from "../../gate/errors.ts";
import { METRICS } from "../../gate/metrics.ts";
import { equal, ok } from "../support/assert.ts";
import { startGate } from "../support/gate.ts";
import { connect, listenEcho } from "../support/net.ts";
import { tableUnder } from "../support/operating.ts";

const plain = (cell: string) => cell.replaceAll("`", "");

Deno.test("docs/operating.md has every metric with its type and labels, and every limit, and no other", () => {
  const told = tableUnder("Metrics").map(([name, type, labels]) => [name, type, labels].map(plain));
  equal(told, METRICS.map(({ name, type, labels }) => [name, type, labels.join(" ")]));
  equal(
    tableUnder("Limits that are counted").map(([name]) => plain(name)).sort(),
    [...LIMIT_NAMES].sort(),
  );
});

Deno.test("the metrics count what connections do, those that live too, and every line is of the format", async () => {
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }
admin: { address: "off" }`);
  await using client = await connect(gate.port("fwd"));
  await client.write("x".repeat(1000));
  await client.read(1000);
  const text = await gate.service.metrics();
  const line = /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? [-+.\deINFa]+)$/;
  for (const each of text.trimEnd().split("\n")) ok(line.test(each), each);
  const value = (series: string) =>
    Number(text.split("\n").find((each) => each.startsWith(`${series} `))?.split(" ")[1]);
  equal(value(`ugate_connections_active{listener="fwd"}`), 1);
  equal(value(`ugate_bytes_total{listener="fwd",direction="in"}`), 1000);
  equal(value(`ugate_limit_hits_total{limit="perSource"}`), 0);
  equal(value("ugate_config_last_reload_success"), 1);
});
