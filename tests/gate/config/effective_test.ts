/** What `/config` and `ugate check --json` show. */
import { parseConfiguration } from "../../../gate/config/load.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const ENV: Record<string, string> = { SLOTS: "300", PASSWORD: "hunter2", DOMAIN: "example.com" };
const parsed = (text: string) =>
  parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, { get: (name) => ENV[name] });

const DEFAULTS = {
  node: { name: "pi", domain: "", trustDomain: "cluster.local", namespace: "default", state: "/state" },
  listeners: {
    local: {
      address: "127.0.0.1:15080",
      protocols: ["socks", "connect", "http", "tls"],
      sniffTimeout: "3s",
      limits: {},
    },
  },
  routes: [],
  hosts: {},
  discovery: ["file", "mesh", "dns"],
  dns: {},
  policy: [],
  ssh: { loginTimeout: "2m" },
  limits: {
    connections: 20000,
    perSource: 1000,
    reserve: {},
    sniffTimeout: "3s",
    handshakeTimeout: "10s",
    dialTimeout: "10s",
    idleTimeout: "1h",
    headTimeout: "10s",
    bodyTimeout: "60s",
    keepAlive: "75s",
    requestsPerConnection: 10000,
    headSize: "64KiB",
    grace: "30s",
  },
  engine: { threads: 1 },
  admin: { address: "127.0.0.1:15000", metrics: "off" },
  log: { level: "info", format: "auto" },
};

Deno.test("every key is shown with its default, in the spelling and the types of ugate.yaml", async () => {
  const { shown } = await parsed("node: { name: pi, state: /state }");
  equal(shown, DEFAULTS);
});

Deno.test("what only this machine knows is shown too", async () => {
  const { shown, config: { node } } = await parsed("log: {}");
  const { name, state } = (shown as typeof DEFAULTS).node;
  equal([name, state], [node.name, node.state]);
});

const EVERYTHING = `
node: { name: pi, state: /state, domain: mesh.example.com }
listeners:
  edge: { address: [":443", "[::1]:444"], protocols: [tls, ssh], fallback: "127.0.0.1:9000", limits: { perSource: "0032" } }
  slow: { address: "127.0.0.1:1", protocols: [http], sniffTimeout: 1500ms, proxyProtocol: 10.0.0.0/8 }
  app: { address: unix:/run/x, to: "10.0.0.1:80" }
routes:
  - { host: "*.example.com", to: "10.0.0.1:443", sources: [10.0.0.0/8] }
  - { listener: slow, path: { regex: "^/v[0-9]+/" }, method: PUT, headers: { X-A: 1 }, query: { q: true }, to: "http://10.0.0.1:80" }
  - { listener: slow, path: { exact: /a%2Fb }, encodedSlash: keep, method: [GET], to: "http://10.0.0.1:80" }
  - { protocol: ssh, to: ["10.0.0.1:22", { to: "10.0.0.2:22" }, { to: "10.0.0.3:22", weight: "3" }], check: { interval: 9s } }
hosts:
  db.internal: { addresses: [10.0.0.7] }
  "*.onion": { via: "127.0.0.1:9050", layers: [socks] }
dns: { servers: [10.0.0.53] }
policy:
  - { deny: { ports: 25 } }
  - { allow: { protocol: tls, ports: [443, "8000-8999"] } }
limits: { connections: 3000, reserve: { ssh: 50 }, sniffTimeout: 5s, headSize: 32KiB }
admin: { address: off, metrics: ":15020" }
`;

Deno.test("what is shown, written as a configuration, means the same", async () => {
  const { config, shown } = await parsed(EVERYTHING);
  const again = await parsed(JSON.stringify(shown));
  equal(again.shown, shown);
  const withoutPlaces = (value: unknown) =>
    JSON.parse(JSON.stringify(value, (key, each) => key === "place" || key === "places" ? undefined : each));
  equal(withoutPlaces(again.config), withoutPlaces(config));
});

Deno.test("numbers are numbers, also in lists and maps, and what only looks like one is a text", async () => {
  const { shown } = await parsed(EVERYTHING.replace("name: pi", 'name: pi, namespace: "12"'));
  const { node, listeners, routes, policy, limits } = shown as Record<string, never>;
  equal([node["namespace"], limits["connections"], limits["reserve"]], ["12", 3000, { ssh: 50 }]);
  equal(listeners["edge"], {
    address: [":443", "[::1]:444"],
    protocols: ["tls", "ssh"],
    fallback: "127.0.0.1:9000",
    sniffTimeout: "5s",
    limits: { perSource: 32 },
  });
  equal(listeners["app"], { address: "unix:/run/x", to: "10.0.0.1:80", limits: {} });
  equal(routes[1], {
    listener: "slow",
    to: "http://10.0.0.1:80",
    path: { regex: "^/v[0-9]+/" },
    method: "PUT",
    headers: { "X-A": "1" },
    query: { q: true },
  });
  equal(routes[3], {
    protocol: "ssh",
    to: ["10.0.0.1:22", { to: "10.0.0.2:22", weight: 1 }, { to: "10.0.0.3:22", weight: 3 }],
    check: { interval: "9s", timeout: "2s" },
  });
  equal(policy, [{ deny: { ports: 25 } }, { allow: { protocol: "tls", ports: [443, "8000-8999"] } }]);
});

Deno.test("variables stay as they were written, and no secret is shown", async () => {
  const { shown, config } = await parsed(`
listeners: { edge: { address: "127.0.0.1:1", protocols: [socks], users: { alice: "\${PASSWORD}", bob: "0123" } } }
hosts: { "*": { via: "127.0.0.1:9050", layers: [socks], credentials: "me:\${PASSWORD}" } }
limits: { connections: "\${SLOTS}", sniffTimeout: "\${SLOTS}ms" }
dns: { search: ["\${DOMAIN}"] }`);
  equal([config.limits.connections, config.listeners.edge.sniffTimeout], [300, 300]);
  const { listeners, hosts, limits, dns } = shown as Record<string, Record<string, never>>;
  equal(listeners.edge["users"], { alice: "***", bob: "***" });
  equal(hosts["*"]["credentials"], "***");
  equal([limits.connections, limits.sniffTimeout, listeners.edge["sniffTimeout"]], [
    "${SLOTS}",
    "${SLOTS}ms",
    "${SLOTS}ms",
  ]);
  equal(dns.search, ["${DOMAIN}"]);
});
