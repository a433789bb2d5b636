import { banner } from "../../../gate/commands/banner.ts";
import { parseConfiguration } from "../../../gate/config/load.ts";
import { VERSION } from "../../../gate/version.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "../config/toy_protocols.ts";

async function lines(admin: string, addresses: readonly string[]): Promise<string[]> {
  const text = `listeners: { web: { address: ":80", protocols: [http] } }\nadmin: ${admin}`;
  const { config } = await parseConfiguration([{ file: "a.yaml", text }], toyProtocols);
  const listening = [{ listener: "web", address: "[::]:80" }];
  return banner({ listening, config, admin: addresses, files: ["a.yaml"] }).split("\n");
}

Deno.test("the banner names what listens where, the admin page and the metrics apart, and ends with ready", async () => {
  equal(await lines('{ metrics: ":15020" }', ["127.0.0.1:15000", "[::]:15020"]), [
    `ugate ${VERSION}, a.yaml`,
    "  web      [::]:80  http",
    "  admin    127.0.0.1:15000",
    "  metrics  [::]:15020",
    "ready",
  ]);
  equal((await lines('{ address: off, metrics: ":15020" }', ["[::]:15020"]))[2], "  metrics  [::]:15020");
  equal((await lines("{}", ["127.0.0.1:15000"])).slice(2), ["  admin  127.0.0.1:15000", "ready"]);
});
