/** Rules of policy that are broken, or meet nothing; and proxies that let nobody through. */
import { EDGE, LOCAL, refused } from "./refused.ts";

const PROXY = `listeners: { proxy: { address: "10.0.0.1:1080", protocols: [socks, connect] } }\n`;

refused([
  ["allow beside deny", "policy: [^{ allow: {}, deny: {} }]", "policy[0]", /either allow or deny/],
  ["neither allow nor deny", "policy: [^{}]", "policy[0]", /either allow or deny/],
  ["an allow of nothing written", "policy: [{ allow: ^}]", "policy[0].allow", /expected a map, got nothing/],
  [
    "a rule of an unknown listener",
    "policy: [{ deny: { listener: [^locl] } }]",
    "policy[0].deny.listener[0]",
    /there is no listener "locl"; did you mean "local"/,
  ],
  [
    "a rule of an unknown protocol",
    "policy: [{ deny: { protocol: ^sock } }]",
    "policy[0].deny.protocol",
    /unknown protocol "sock"; did you mean "socks"/,
  ],
  [
    "a range of ports",
    `policy: [{ deny: { ports: ^"9000-8000" } }]`,
    "policy[0].deny.ports",
    /begins with the lower port/,
  ],
  [
    "an address in hosts",
    "policy: [{ deny: { hosts: ^10.0.0.1 } }]",
    "policy[0].deny.hosts",
    /an address is none/,
  ],
  [
    "a rule for a forward",
    LOCAL(`to: "a:1"`) + "policy: [^{ deny: { listener: a } }]",
    "policy[0]",
    /can never meet a connection: clients of a name no target/,
  ],
  [
    "a rule for a protocol without targets",
    EDGE + "policy: [^{ deny: { protocol: ssh } }]",
    "policy[0]",
    /can never meet/,
  ],
  [
    "an allow for TLS that does not say so",
    EDGE + "policy: [^{ allow: { hosts: x.example } }]",
    "policy[0]",
    /can never meet/,
  ],
  [
    "a rule for a user nobody is",
    PROXY + "policy: [^{ deny: { user: bob } }, { allow: { ports: 443 } }]",
    "policy[0]",
    /no listener has the user bob/,
  ],
  [
    "a proxy beyond loopback",
    PROXY.replace("proxy: {", "proxy: ^{"),
    "listeners.proxy",
    /a proxy \(socks, connect\) beyond loopback, and no allow rule/,
  ],
  [
    "a proxy behind PROXY headers",
    LOCAL("protocols: [socks], proxyProtocol: [127.0.0.1]").replace("a: {", "a: ^{"),
    "listeners.a",
    /beyond loopback/,
  ],
  [
    "a proxy that a deny closes first",
    PROXY.replace("proxy: {", "proxy: ^{") + "policy: [{ deny: {} }, { allow: { ports: 443 } }]",
    "listeners.proxy",
    /no allow rule/,
  ],
]);
