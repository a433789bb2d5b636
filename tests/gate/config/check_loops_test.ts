/** Ways that lead back to where they began. */
import { EDGE, refused } from "./refused.ts";

refused([
  [
    "a forward to itself",
    `listeners: { a: { address: "127.0.0.1:1", to: ^"127.0.0.1:1" } }`,
    "listeners.a.to",
    /expected a target that is not listener a itself, where this way begins again, got "127\.0\.0\.1:1"$/,
  ],
  [
    "a forward to itself in another spelling",
    `listeners: { a: { address: "[::]:1", to: ^"0.0.0.0:1" } }`,
    "listeners.a.to",
    /not listener a itself/,
  ],
  [
    "a unix socket to itself",
    `listeners: { a: { address: "unix:@x", to: ^"unix:@x" } }`,
    "listeners.a.to",
    /itself/,
  ],
  [
    "a fallback to itself",
    `listeners: { a: { address: ":1", protocols: [ssh], fallback: ^"[::1]:1" } }`,
    "listeners.a.fallback",
    /not listener a itself/,
  ],
  [
    "a route to where it begins",
    `${EDGE}routes: [{ host: a.x, to: ["b:1", ^"127.0.0.1:443"] }]`,
    "routes[0].to[1]",
    /not listener edge itself/,
  ],
  [
    "a weighted route to where it begins",
    `${EDGE}routes: [{ listener: edge, protocol: ssh, to: [{ to: ^"127.0.0.9:443", weight: 2 }] }]`,
    "routes[0].to[0].to",
    /not listener edge itself/,
  ],
  [
    "a route to a listener where it is taken again",
    `listeners: { a: { address: ":1", protocols: [ssh] }, b: { address: "10.0.0.1:2", protocols: [tls, ssh] } }
routes: [{ protocol: ssh, to: ^"10.0.0.1:2" }]`,
    "routes[0].to",
    /not listener b itself/,
  ],
]);
