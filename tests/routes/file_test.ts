import { ConfiguredHosts, type HostEntry } from "../../routes/file.ts";
import { conformResolver } from "../conformance/resolver.ts";
import { equal } from "../support/assert.ts";

const NEVER = new AbortController().signal;

const ENTRIES: readonly HostEntry[] = [
  { name: "db.internal", addresses: [{ host: "10.0.0.7" }, { host: "fd00::7", port: 5433 }], layers: [] },
  { name: "*", via: { host: "proxy.corp", port: 1080 }, layers: ["socks"] },
  { name: "*.onion", via: { host: "127.0.0.1", port: 9050 }, layers: ["socks"], credentials: "me:secret" },
  { name: "*.deep.onion", via: { host: "127.0.0.1", port: 9051 }, layers: ["tls", "connect"] },
  { name: "x.deep.onion", addresses: [{ host: "10.0.0.9" }], layers: ["hbone"] },
  {
    name: "inside.test",
    addresses: [{ host: "10.9.9.9" }],
    via: { host: "10.0.0.1", port: 3128 },
    layers: ["connect"],
  },
];

async function endpoints(entries: readonly HostEntry[], host: string, port = 443) {
  return (await new ConfiguredHosts(entries).resolve({ host, port }, NEVER))?.endpoints;
}

conformResolver("file", () =>
  Promise.resolve({
    resolver: new ConfiguredHosts(ENTRIES.slice(0, 1)),
    known: { host: "db.internal", port: 5432 },
    unknown: { host: "other.internal", port: 5432 },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }));

Deno.test("an address has its own port, or the one that was asked for", async () => {
  equal(await endpoints(ENTRIES, "db.internal", 5432), [
    { address: { host: "10.0.0.7", port: 5432 }, layers: [] },
    { address: { host: "fd00::7", port: 5433 }, layers: [] },
  ]);
});

Deno.test("with via the name itself is asked of the innermost layer", async () => {
  equal(await endpoints(ENTRIES, "abc.onion"), [{
    address: { host: "abc.onion", port: 443 },
    via: { host: "127.0.0.1", port: 9050 },
    layers: ["socks"],
    credentials: "me:secret",
  }]);
});

Deno.test("with via and addresses the innermost layer is asked for the addresses", async () => {
  equal(await endpoints(ENTRIES, "inside.test", 80), [{
    address: { host: "10.9.9.9", port: 80 },
    via: { host: "10.0.0.1", port: 3128 },
    layers: ["connect"],
  }]);
});

Deno.test("an exact name comes before wildcards, a longer wildcard before a shorter one", async () => {
  const port = async (host: string) => (await endpoints(ENTRIES, host))?.[0].via?.port;
  equal((await endpoints(ENTRIES, "x.deep.onion"))?.[0].layers, ["hbone"]);
  equal(await port("y.deep.onion"), 9051);
  equal(await port("deep.onion"), 9050);
  equal(await port("onion"), 1080);
  equal(await port("example.com"), 1080);
});

Deno.test("no wildcard covers the proxy that it names", async () => {
  equal(await endpoints(ENTRIES, "proxy.corp"), undefined);
  const listed = [...ENTRIES, { name: "proxy.corp", addresses: [{ host: "10.0.0.2" }], layers: [] }];
  equal((await endpoints(listed, "proxy.corp"))?.[0].address.host, "10.0.0.2");
});

Deno.test("an address literal is no name: not even `*` covers it", async () => {
  equal(await endpoints(ENTRIES, "10.0.0.1"), undefined);
  equal(await endpoints(ENTRIES, "::1"), undefined);
  equal(await endpoints(ENTRIES, "unix:/run/x"), undefined);
});

Deno.test("names are compared in lower case and without the last dot", async () => {
  equal((await endpoints(ENTRIES, "DB.Internal."))?.length, 2);
});
