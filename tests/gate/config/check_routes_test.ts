/** Routes that are broken, whatever they carry: their targets, and whether they can match. */
import { EDGE, LOCAL, refused } from "./refused.ts";

refused([
  ["no target", `${EDGE}routes: [^{ protocol: ssh }]`, "routes[0].to", /expected a target.*got nothing/],
  [
    "a target without a port",
    `${EDGE}routes: [{ protocol: ssh, to: ^host }]`,
    "routes[0].to",
    /expected a target with its port, such as host:80, or http:\/\/host:80 for requests, got "host"/,
  ],
  [
    "a target with a scheme",
    `${EDGE}routes: [{ protocol: ssh, to: ^"ssh://host:80" }]`,
    "routes[0].to",
    /expected a target host:port.*without another scheme, got "ssh:\/\/host:80"/,
  ],
  [
    "a target of a list",
    `${EDGE}routes: [{ protocol: ssh, to: ["a:1", ^"b:0"] }]`,
    "routes[0].to[1]",
    /expected a port from 1 to 65535, got 0/,
  ],
  [
    "a weight",
    `${EDGE}routes: [{ protocol: ssh, to: [{ to: "a:1", weight: ^0 }] }]`,
    "routes[0].to[0].weight",
    /expected a whole number from 1 to 1000, got 0/,
  ],
  [
    "a key of an endpoint",
    `${EDGE}routes: [{ protocol: ssh, to: [{ to: "a:1", ^wieght: 1 }] }]`,
    "routes[0].to[0].wieght",
    /did you mean "weight"/,
  ],
  [
    "a PROXY version",
    `${EDGE}routes: [{ protocol: ssh, to: "a:1", proxyProtocol: ^v3 }]`,
    "routes[0].proxyProtocol",
    /expected one of v1, v2, got "v3"/,
  ],
  [
    "an address as host",
    `${EDGE}routes: [{ host: ^10.0.0.1, to: "a:1" }]`,
    "routes[0].host",
    /an address is none/,
  ],
  [
    "a route of an unknown listener",
    `${EDGE}routes: [{ listener: ^egde, to: "a:1" }]`,
    "routes[0].listener",
    /there is no listener "egde"; did you mean "edge"/,
  ],
  [
    "a route of an unknown protocol",
    `${EDGE}routes: [{ protocol: ^sshh, to: "a:1" }]`,
    "routes[0].protocol",
    /unknown protocol "sshh"; did you mean "ssh"/,
  ],
  [
    "a route of a listener without the protocol",
    `${EDGE}routes: [^{ listener: edge, protocol: mqtt, to: "a:1" }]`,
    "routes[0]",
    /can never match: edge has no mqtt/,
  ],
  [
    "a route of a protocol nobody speaks",
    `${EDGE}routes: [^{ protocol: mqtt, to: "a:1" }]`,
    "routes[0]",
    /can never match: no listener has mqtt/,
  ],
  [
    "a route with a host without TLS",
    LOCAL("protocols: [ssh, http]") +
    `routes: [^{ host: a.example, to: "a:1" }, { protocol: ssh, to: "a:1" }]`,
    "routes[0]",
    /a host without protocol is for tls, and no listener has tls; for requests its targets begin with http:\/\/$/,
  ],
  [
    "a host where there is none",
    `${EDGE}routes: [^{ host: a.example, protocol: ssh, to: "a:1" }]`,
    "routes[0]",
    /ssh names no host/,
  ],
  [
    "a route that has to name its protocol",
    LOCAL("protocols: [socks]") + `routes: [^{ listener: a, to: "a:1" }]`,
    "routes[0]",
    /for socks a route has to name the protocol/,
  ],
  [
    "a shadowed route",
    `${EDGE}routes: [{ protocol: ssh, to: "a:1" }, ^{ listener: edge, protocol: ssh, to: "b:1" }]`,
    "routes[1]",
    /can never match: ugate\.yaml:2:10 routes\[0\] takes all/,
  ],
  [
    "a host under an earlier wildcard",
    `${EDGE}routes: [{ host: "*.a.example", to: "a:1" }, ^{ host: "x.y.a.example", to: "b:1" }]`,
    "routes[1]",
    /can never match/,
  ],
  [
    "a wildcard under an earlier one",
    `${EDGE}routes: [{ host: "*.example", to: "a:1" }, ^{ host: "*.A.example", to: "b:1" }]`,
    "routes[1]",
    /can never match/,
  ],
  [
    "a route behind a plain forward",
    LOCAL(`to: "a:1"`) + `routes: [^{ listener: a, to: "b:1" }]`,
    "routes[0]",
    /can never match: ugate\.yaml:1:47 listeners\.a\.to takes all/,
  ],
]);
