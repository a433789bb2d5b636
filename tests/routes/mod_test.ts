import { makeDiscovery, sources } from "../../routes/mod.ts";
import { equal, ok, throws } from "../support/assert.ts";

const NEVER = new AbortController().signal;
const SETTINGS = {
  hosts: [{ name: "localhost", addresses: [{ host: "10.0.0.1" }], layers: [] }],
  mesh: { owns: (name: string) => name === "localhost", onOwned: () => new DisposableStack() },
  dns: { resolvConf: "/dev/null", hostsFile: "/dev/null" },
};

Deno.test("discovery asks the configured sources in the configured order", async () => {
  const target = { host: "localhost", port: 80 };
  using fileFirst = makeDiscovery(["file", "dns"], SETTINGS);
  equal((await fileFirst.resolve(target, NEVER))?.source, "file");
  using dnsFirst = makeDiscovery(["dns", "file"], SETTINGS);
  equal((await dnsFirst.resolve(target, NEVER))?.source, "dns");
  using meshFirst = makeDiscovery(["mesh", "file"], SETTINGS);
  equal((await meshFirst.resolve(target, NEVER))?.source, "mesh");
  using dnsOnly = makeDiscovery(["dns"], SETTINGS);
  ok(await dnsOnly.resolve(target, NEVER));
});

Deno.test("no sources know nothing but addresses", async () => {
  using none = makeDiscovery([], SETTINGS);
  equal(await none.resolve({ host: "localhost", port: 80 }, NEVER), undefined);
  ok(await none.resolve({ host: "127.0.0.1", port: 80 }, NEVER));
});

Deno.test("a name that is no source is refused with those that are", () => {
  throws(() => makeDiscovery(["toString"], SETTINGS), /"toString": expected one of file, mesh, dns/);
  equal(Object.keys(sources), ["file", "mesh", "dns"]);
});
