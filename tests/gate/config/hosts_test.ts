/** `hosts`, `discovery` and `dns` that are broken. */
import { HOSTS, refused } from "./refused.ts";

refused([
  [
    "a pattern with addresses",
    HOSTS(`^"*.x": { addresses: [10.0.0.1] }`),
    `hosts["*.x"]`,
    /a pattern needs via/,
  ],
  ["via without layers", HOSTS(`x: { via: ^"a:1" }`), "hosts.x.via", /needs layers/],
  [
    "layers without via",
    HOSTS(`x: { addresses: [10.0.0.1], layers: ^[socks] }`),
    "hosts.x.layers",
    /needs via/,
  ],
  [
    "credentials without via",
    HOSTS(`x: { addresses: [10.0.0.1], credentials: ^"a:b" }`),
    "hosts.x.credentials",
    /needs via/,
  ],
  [
    "addresses beside via",
    HOSTS(`x: { addresses: [10.0.0.1], via: ^"a:1", layers: [socks] }`),
    "hosts.x.via",
    /excludes addresses/,
  ],
  ["a host without anything", HOSTS("x: ^{}"), "hosts.x", /expected addresses, or via and layers/],
  [
    "a layer that wraps nothing",
    HOSTS(`x: { via: "a:1", layers: [^ssh] }`),
    "hosts.x.layers[0]",
    /ssh cannot be a layer: expected one of socks, connect/,
  ],
  [
    "an unknown layer",
    HOSTS(`x: { via: "a:1", layers: [^sock] }`),
    "hosts.x.layers[0]",
    /unknown protocol "sock"; did you mean "socks"/,
  ],
  [
    "an identity where nothing proves one",
    HOSTS(`x: { via: "a:1", layers: [socks], identity: ^"ssh:SHA256:${"A".repeat(43)}" }`),
    "hosts.x.identity",
    /needs ssh or tls in layers/,
  ],
  [
    "a proxy without a port",
    HOSTS("x: { via: ^proxy.example, layers: [socks] }"),
    "hosts.x.via",
    /needs a port: socks has none of its own/,
  ],
  [
    "an identity that no host can prove",
    HOSTS(`x: { via: "a:1", layers: [socks], identity: ^role:admin }`),
    "hosts.x.identity",
    /expected an identity key:ID, ssh:SHA256:… or spiffe/,
  ],
  [
    "a login name where nobody logs in",
    HOSTS("x: { addresses: [10.0.0.1], user: ^me }"),
    "hosts.x.user",
    /needs via: where to log in/,
  ],
  [
    "a name as an address",
    HOSTS("x: { addresses: [^y.example] }"),
    "hosts.x.addresses[0]",
    /expected an address IP or IP:port/,
  ],
  [
    "an address as a host",
    HOSTS(`^"10.0.0.1": { addresses: [10.0.0.2] }`),
    `hosts["10.0.0.1"]`,
    /expected one name/,
  ],
  [
    "one host in two spellings",
    HOSTS("a.x: { addresses: [10.0.0.1] }, ^A.x.: { addresses: [10.0.0.2] }"),
    `hosts["A.x."]`,
    /the same name as ugate\.yaml:1:15 hosts\["a\.x"\]/,
  ],
  [
    "an unknown source of discovery",
    "discovery: [file, ^xds]",
    "discovery[1]",
    /expected one of file, mesh, dns, got "xds"/,
  ],
  ["a source twice", "discovery: [dns, ^dns]", "discovery[1]", /"dns" is given twice/],
  [
    "a server by name",
    "dns: { servers: [9.9.9.9, ^dns.example] }",
    "dns.servers[1]",
    /expected an address IP or IP:port/,
  ],
]);
