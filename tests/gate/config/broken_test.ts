/** Configurations that are broken, each with the place and the sentence that has to be reported. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { equal, ok } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const env = { get: (name: string) => ({ PORT: "70000", SECRET: "hunter2" } as Record<string, string>)[name] };

/** The problems, `place path: message` each; none: it is right. */
async function problemsOf(text: string): Promise<string[]> {
  try {
    await parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message.split("\n");
  }
}

const EDGE = `listeners: { edge: { address: ":443", protocols: [tls, ssh] } }\n`;
const WEB = `listeners: { web: { address: ":80", protocols: [http] } }\n`;
const PROXY = `listeners: { proxy: { address: "10.0.0.1:1080", protocols: [socks, connect] } }\n`;
const HOSTS = (host: string) => `hosts: { ${host} }\n`;
const LOCAL = (more: string) => `listeners: { a: { address: "127.0.0.1:1", ${more} } }\n`;

/** Where the mark is. */
function placeOf(marked: string): string {
  const before = marked.slice(0, Math.max(0, marked.indexOf("^"))).split("\n");
  return marked.includes("^") ? `ugate.yaml:${before.length}:${before.at(-1)!.length + 1}` : "ugate.yaml";
}

/** Name, text with a ^ before the mistake (none: the whole file), path, sentence. Exactly one problem each. */
const BROKEN: readonly (readonly [name: string, text: string, path: string, sentence: RegExp])[] = [
  ["an empty file", "", "", /the file is empty/],
  ["a file of comments", "# nothing\n", "", /the file is empty/],
  ["no map", "- a\n", "", /expected a map of keys/],
  ["a tab", "listeners:\n^\tedge: {}\n", "", /a tab indents/],
  ["two documents", `${EDGE}^---\n${EDGE}`, "", /expected one YAML document/],
  ["a missing brace", `listeners: { a: 1\n^`, "", /missing/],
  ["an unknown tag", `log: { level: ^!secret info }`, "", /a tag/],
  ["an alias without an anchor", `admin: ^*nobody`, "admin", /an alias without an anchor/],
  ["an unknown section", `^lisetners: {}\n`, "lisetners", /unknown key; did you mean "listeners"\?/],
  ["a key of later", `${EDGE}^connect: []\n`, "connect", /unknown key; expected one of node, listeners/],
  [
    "an unknown key",
    LOCAL("protocols: [socks], ^sniffTimout: 3s"),
    "listeners.a.sniffTimout",
    /unknown key; did you mean "sniffTimeout"\?/,
  ],
  ["__proto__", `^__proto__: {}\n`, "", /expected a text as key/],
  [
    "a key given twice",
    `log: { level: info }\n^log: { level: warn }\n`,
    "log",
    /given twice, first at ugate\.yaml:1:1/,
  ],
  [
    "compression of what goes on as it came",
    `${WEB}routes: [{ to: "a:1", protocol: http, ^compress: [gzip] }]`,
    "routes[0].compress",
    /needs a to of http:\/\//,
  ],
  [
    "an unknown coding",
    `${WEB}routes: [{ to: "http://a:1", compress: [^br] }]`,
    "routes[0].compress[0]",
    /expected one of zstd, gzip/,
  ],
  [
    "files beside a target",
    `${WEB}routes: [{ to: "http://a:1", files: ^/ }]`,
    "routes[0].files",
    /excludes to/,
  ],
  [
    "files below a path that is no prefix",
    `${WEB}routes: [{ path: ^{ exact: /x }, files: / }]`,
    "routes[0].path",
    /needs to be a prefix/,
  ],
  [
    "files of no directory",
    `${WEB}routes: [{ files: ^/dev/null }]`,
    "routes[0].files",
    /Cannot serve \/dev\/null: expected a directory/,
  ],
  ["no listeners", "listeners: ^{}\n", "listeners", /at least one listener/],
  ["listeners without a value", "listeners:^\n", "listeners", /expected a map of names, got nothing/],
  [
    "a listener's name",
    `listeners: { ^"a b": { address: ":1", to: "a:1" } }`,
    `listeners["a b"]`,
    /expected a name of letters/,
  ],
  [
    "a port out of range",
    LOCAL("to: 'a:1'").replace(`"127.0.0.1:1"`, `^":70000"`),
    "listeners.a.address",
    /: expected a port from 1 to 65535, got 70000$/,
  ],
  [
    "a port from the environment",
    LOCAL("to: 'a:1'").replace(`"127.0.0.1:1"`, '^":${PORT}"'),
    "listeners.a.address",
    /got ":\$\{PORT\}"$/,
  ],
  [
    "a name to listen at",
    LOCAL("to: 'a:1'").replace(`"127.0.0.1`, `^"localhost`),
    "listeners.a.address",
    /expected an address such as ":443".*got "localhost:1"/,
  ],
  [
    "one address of a list",
    `listeners: { a: { address: [":1", ^":x"], to: "a:1" } }`,
    "listeners.a.address[1]",
    /expected an address/,
  ],
  ["no address", `listeners: { a: ^{ to: "a:1" } }`, "listeners.a.address", /expected .*, got nothing/],
  [
    "neither protocols nor to",
    `listeners: { a: ^{ address: ":1" } }`,
    "listeners.a",
    /expected protocols, or to/,
  ],
  ["to beside protocols", LOCAL(`protocols: [tls], to: ^"a:1"`), "listeners.a.to", /excludes protocols/],
  ["fallback beside to", LOCAL(`fallback: ^"a:1", to: "a:1"`), "listeners.a.fallback", /nothing is sniffed/],
  [
    "fallback for tcp",
    LOCAL(`fallback: ^"a:1", protocols: [tcp]`) + `routes: [{ listener: a, to: "b:1" }]`,
    "listeners.a.fallback",
    /excludes \[tcp\]/,
  ],
  [
    "an unknown protocol",
    LOCAL("protocols: [^sokcs]"),
    "listeners.a.protocols[0]",
    /unknown protocol "sokcs"; did you mean "socks"\?/,
  ],
  [
    "a protocol twice",
    LOCAL("protocols: [socks, ^socks]"),
    "listeners.a.protocols[1]",
    /"socks" is given twice/,
  ],
  ["no protocol", LOCAL("protocols: ^[]"), "listeners.a.protocols", /expected at least one/],
  [
    "tcp beside others",
    LOCAL("protocols: ^[socks, tcp]"),
    "listeners.a.protocols",
    /tcp cannot be told apart from socks/,
  ],
  [
    "tcp without a route",
    LOCAL("protocols: [tcp]").replace("a: {", "a: ^{"),
    "listeners.a",
    /\[tcp\] needs a route/,
  ],
  [
    "users nobody asks for",
    LOCAL("protocols: [tls], users: ^{ alice: x }"),
    "listeners.a.users",
    /no protocol of this listener asks for a password, as socks, connect would/,
  ],
  ["no users", LOCAL("protocols: [socks], users: ^{}"), "listeners.a.users", /expected at least one/],
  [
    "a user with a colon",
    LOCAL("protocols: [socks], users: { ^'a:b': x }"),
    `listeners.a.users["a:***"]`,
    /without a colon/,
  ],
  [
    "a user without a password",
    LOCAL("protocols: [socks], users: { alice: ^}"),
    "listeners.a.users.alice",
    /expected a password.*got nothing/,
  ],
  [
    "a duration",
    LOCAL("protocols: [tls], sniffTimeout: ^3"),
    "listeners.a.sniffTimeout",
    /expected a duration with its unit, such as 3s, got 3$/,
  ],
  [
    "a CIDR",
    LOCAL("protocols: [tls], proxyProtocol: [^10.0.0.0/33]"),
    "listeners.a.proxyProtocol[0]",
    /expected a network such as.*got "10\.0\.0\.0\/33"/,
  ],
  ["too large a size", "limits: { headSize: ^65KiB }", "limits.headSize", /expected .*64KiB/],
  ["a size", "limits: { headSize: ^64KB }", "limits.headSize", /expected a size such as 64KiB/],
  [
    "a number",
    "limits: { connections: ^many }",
    "limits.connections",
    /expected a whole number from 1 to 10000000, got "many"/,
  ],
  [
    "too many reserved",
    "limits: { connections: 10, reserve: ^{ ssh: 6, tls: 5 } }",
    "limits.reserve",
    /11 reserved slots are more than 10/,
  ],
  [
    "a reserve of nobody's",
    "limits: { reserve: { ^shh: 6 } }",
    "limits.reserve.shh",
    /unknown protocol; did you mean "ssh"/,
  ],
  [
    "a port twice",
    `listeners: { a: { address: ":1", to: "a:1" }, b: { address: ^":1", to: "a:1" } }`,
    "listeners.b.address",
    /port 1 is owned by ugate\.yaml:1:28 listeners\.a\.address/,
  ],
  [
    "a wildcard and one of it",
    `listeners: { a: { address: ["127.0.0.1:1", ^"0.0.0.0:1"], to: "a:1" } }`,
    "listeners.a.address[1]",
    /owned by .*address\[0\]/,
  ],
  [
    "dual stack",
    `listeners: { a: { address: ["127.0.0.1:1", ^"[::]:1"], to: "a:1" } }`,
    "listeners.a.address[1]",
    /owned/,
  ],
  [
    "one address in two spellings",
    `listeners: { a: { address: ["[::ffff:127.0.0.1]:1", ^"127.0.0.1:1"], to: "a:1" } }`,
    "listeners.a.address[1]",
    /owned/,
  ],
  [
    "a unix socket twice",
    `listeners: { a: { address: ["unix:@a", ^"unix:@a"], to: "a:1" } }`,
    "listeners.a.address[1]",
    /unix:@a is owned/,
  ],
  [
    "the default admin page's port",
    LOCAL(`to: "a:1"`).replace(`"127.0.0.1:1"`, `^":15000"`),
    "listeners.a.address",
    /port 15000 is owned by .*admin\.address/,
  ],
  ["the metrics' port", `${EDGE}admin: { metrics: ^":443" }`, "admin.metrics", /port 443 is owned/],
  [
    "admin for everybody",
    `admin: { address: ^":15000" }`,
    "admin.address",
    /expected a loopback address or a unix socket/,
  ],
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
    "a key of SSH that is not there",
    "ssh: { identities: [agent, ^/nowhere/key] }",
    "ssh.identities[1]",
    /Cannot read \/nowhere\/key: there is no such file/,
  ],
  [
    "known hosts that are not there",
    "ssh: { knownHosts: [^/nowhere/known] }",
    "ssh.knownHosts[0]",
    /Cannot read \/nowhere\/known: there is no such file/,
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
  [
    "what says something of requests beside bytes that go on as they came",
    `${WEB}routes: [{ protocol: http, ^path: /a, to: "h:80" }]`,
    "routes[0].path",
    /needs a to of http:\/\//,
  ],
  [
    "a route to targets in two ways",
    `${WEB}routes: [{ to: ^["http://h:80", "h:81"] }]`,
    "routes[0].to",
    /http:\/\/ and bare at once/,
  ],
  [
    "a route of requests for what has none",
    `${EDGE}routes: [{ protocol: ^ssh, to: "http://host:80" }]`,
    "routes[0].protocol",
    /ssh has no requests/,
  ],
  [
    "HTTP that is passed on where requests are handled",
    `${WEB}routes: [{ path: /a, to: "http://h:80" }, ^{ protocol: http, to: "h:80" }]`,
    "routes[1]",
    /passes requests on as they come, and ugate.yaml:2:10 routes\[0\] handles those/,
  ],
  [
    "a path below one that was taken",
    `${WEB}routes: [{ path: /a, to: "http://h:80" }, ^{ path: /a/b, to: "http://h:80" }]`,
    "routes[1]",
    /can never match: ugate.yaml:2:10 routes\[0\] takes all of it/,
  ],
  [
    "a path with dot segments",
    `${WEB}routes: [{ path: ^/a/%2e%2e/b, to: "http://h:80" }]`,
    "routes[0].path",
    /expected a path such as \/api/,
  ],
  [
    "a path with an escape that nothing needs",
    `${WEB}routes: [{ path: ^/%40admin/%c3%a9, to: "http://h:80" }]`,
    "routes[0].path",
    /expected \/@admin\/%C3%A9: only what has to be is escaped, got "\/%40admin\/%c3%a9"/,
  ],
  [
    "an exact path with an unreserved character escaped",
    `${WEB}routes: [{ path: { exact: ^/%7Eme }, to: "http://h:80" }]`,
    "routes[0].path.exact",
    /expected \/~me: only what/,
  ],
  [
    "a path with a character that has to be escaped",
    `${WEB}routes: [{ path: ^"/users/a|b", to: "http://h:80" }]`,
    "routes[0].path",
    /expected \/users\/a%7Cb: only what/,
  ],
  [
    "a path with a variable",
    `${WEB}routes: [{ path: ^"/users/{id}", to: "http://h:80" }]`,
    "routes[0].path",
    /\{ regex: '\^\/users\/\[\^\/\]\+\$' \} matches whatever stands there/,
  ],
  [
    "a regular expression with an escape that nothing needs",
    `${WEB}routes: [{ path: { regex: ^"^/%7eme" }, to: "http://h:80" }]`,
    "routes[0].path.regex",
    /column 3 has %7e, which is compared as ~: write that/,
  ],
  [
    "a regular expression with a character that has to be escaped",
    `${WEB}routes: [{ path: { regex: ^"^/\\\\{id" }, to: "http://h:80" }]`,
    "routes[0].path.regex",
    /column 3 has a \{, which is compared as %7B: write that/,
  ],
  [
    "a path of two kinds",
    `${WEB}routes: [{ path: ^{ exact: /a, regex: a }, to: "http://h:80" }]`,
    "routes[0].path",
    /expected either exact or regex/,
  ],
  [
    "a regular expression",
    `${WEB}routes: [{ path: { regex: ^"^/a(b" }, to: "http://h:80" }]`,
    "routes[0].path.regex",
    /expected a regular expression for paths: column 4 has a \( without its \), got "\^\/a\(b"/,
  ],
  [
    "a regular expression that matches no path",
    `${WEB}routes: [{ path: { regex: ^"^v1/" }, to: "http://h:80" }]`,
    "routes[0].path.regex",
    /one that matches a path, which begins with \//,
  ],
  [
    "a path with an encoded slash",
    `${WEB}routes: [{ path: ^/a%2fb, to: "http://h:80" }]`,
    "routes[0].path",
    /needs encodedSlash: keep/,
  ],
  [
    "a word for encoded slashes",
    `${WEB}routes: [{ encodedSlash: ^allow, to: "http://h:80" }]`,
    "routes[0].encodedSlash",
    /expected one of refuse, keep/,
  ],
  [
    "a method in small letters",
    `${WEB}routes: [{ method: [GET, ^put], to: "http://h:80" }]`,
    "routes[0].method[1]",
    /expected a method such as GET, in upper case, got "put"/,
  ],
  [
    "CONNECT as a method",
    `${WEB}routes: [{ method: ^CONNECT, to: "http://h:80" }]`,
    "routes[0].method",
    /expected a method/,
  ],
  [
    "no headers",
    `${WEB}routes: [{ headers: ^{}, to: "http://h:80" }]`,
    "routes[0].headers",
    /expected at least one/,
  ],
  [
    "the name of a header",
    `${WEB}routes: [{ headers: { ^"x a": y }, to: "http://h:80" }]`,
    'routes[0].headers["x a"]',
    /expected the name of a header/,
  ],
  [
    "a header twice",
    `${WEB}routes: [{ headers: { x-a: y, ^X-A: y }, to: "http://h:80" }]`,
    "routes[0].headers.X-A",
    /the same header/,
  ],
  [
    "the host as a header",
    `${WEB}routes: [{ headers: { ^Host: y }, to: "http://h:80" }]`,
    "routes[0].headers.Host",
    /a key of its own/,
  ],
  [
    "a header that anyone may claim",
    `${WEB}routes: [{ headers: { ^X_Forwarded-User: y }, to: "http://h:80" }]`,
    "routes[0].headers.X_Forwarded-User",
    /believed from nobody/,
  ],
  [
    "the value of a header",
    `${WEB}routes: [{ headers: { x-a: ^" y" }, to: "http://h:80" }]`,
    "routes[0].headers.x-a",
    /expected the value of a header/,
  ],
  [
    "no parameters",
    `${WEB}routes: [{ query: ^beta, to: "http://h:80" }]`,
    "routes[0].query",
    /expected a map of parameters and values/,
  ],
  [
    "a method beside bytes that go on as they came",
    `${WEB}routes: [{ protocol: http, ^method: GET, to: "h:80" }]`,
    "routes[0].method",
    /needs a to of http:\/\//,
  ],
  [
    "headers beside bytes that go on as they came",
    `${WEB}routes: [{ protocol: http, ^headers: { x-a: y }, to: "h:80" }]`,
    "routes[0].headers",
    /needs a to of http:\/\//,
  ],
  ["an unset variable", "log: { level: ^'${LEVEL}' }", "log.level", /the environment has no LEVEL$/],
  ["half a variable", "log: { level: ^'${LEVEL' }", "log.level", /expected \$\{NAME\}/],
  [
    "a log level",
    "log: { level: ^loud }",
    "log.level",
    /expected one of debug, info, warn, error, got "loud"/,
  ],
];

for (const [name, marked, path, sentence] of BROKEN) {
  Deno.test(`${name} is refused, with its place`, async () => {
    const problems = await problemsOf(marked.replace("^", ""));
    const start = [placeOf(marked), path].filter((part) => part !== "").join(" ");
    equal(problems.length, 1, problems.join("\n"));
    equal(problems[0].startsWith(`${start}: `), true, problems[0]);
    equal(sentence.test(problems[0]), true, problems[0]);
  });
}

Deno.test("all mistakes of a file are reported at once, in the order of their lines", async () => {
  const problems = await problemsOf(`listeners:
  edge: { address: ":99999", protocols: [tls] }
  pg: { adress: ":5432", to: "pg:5432" }
  proxy: { address: ":1080", protocols: [socks] }
routes:
  - { host: "-*-", to: "a:1" }
  - { protocol: ssh, to: "http://a" }
  - { protocol: socks, listener: prxy, to: "a:1" }
hosts:
  x: { layers: [socks] }
policy:
  - { deny: { sources: 10.0.0.0/40, ports: 0 } }
limits: { connections: 0 }
lgo: { level: info }
`);
  const places = problems.map((problem) => problem.slice(0, problem.indexOf(": ")));
  equal(places, [
    "ugate.yaml:2:20 listeners.edge.address",
    "ugate.yaml:3:7 listeners.pg.address",
    "ugate.yaml:3:9 listeners.pg.adress",
    "ugate.yaml:6:13 routes[0].host",
    "ugate.yaml:7:17 routes[1].protocol",
    "ugate.yaml:7:26 routes[1].to",
    "ugate.yaml:8:34 routes[2].listener",
    "ugate.yaml:10:6 hosts.x",
    "ugate.yaml:10:16 hosts.x.layers",
    "ugate.yaml:12:24 policy[0].deny.sources",
    "ugate.yaml:12:44 policy[0].deny.ports",
    "ugate.yaml:13:24 limits.connections",
    "ugate.yaml:14:1 lgo",
  ]);
});

Deno.test("what is left out for its own mistake makes no second one", async () => {
  const problems = await problemsOf(`listeners:
  edge: { address: ":1", protocols: [tls, shh] }
routes:
  - { protocol: ssh, to: "a:1" }
  - { listener: edge, protocol: ssh, to: "b:1" }
policy:
  - { deny: { listener: edge, protocol: ssh } }
`);
  equal(problems.length, 1, problems.join("\n"));
});

Deno.test("no message shows a password", async () => {
  const secrets = [
    LOCAL("protocols: [socks], users: { alice: [hunter2] }"),
    LOCAL("protocols: [socks], users: { alice: 'scrypt:hunter2' }"),
    LOCAL("protocols: [socks], users: hunter2"),
    LOCAL("protocols: [socks], users: [hunter2]"),
    LOCAL("protocols: [socks], users: '${SECRET}'"),
    LOCAL("protocols: [socks], user: { alice: hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: hunter2: x }"),
    LOCAL("protocols: [socks], users: { alice: @hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: !hunter2 x }"),
    LOCAL("protocols: [socks], users: { alice: *hunter2 }"),
    LOCAL("protocols: [socks], users: { alice: 'x' hunter2 }"),
    HOSTS(`x: { via: "a:1", layers: [socks], credentials: hunter2 }`),
    HOSTS(`x: { via: "a:1", layers: [socks], credentials: [hunter2] }`),
    HOSTS(`x: { via: "alice:hunter2@proxy:1080", layers: [socks] }`),
    HOSTS(`x: { via: "http://alice:hunter2@proxy:1080", layers: [socks] }`),
    HOSTS("x: { via: '${SECRET}', layers: [socks] }"),
    LOCAL("protocols: [socks], users: { alice:hunter2 }"),
    LOCAL(`protocols: [socks], users: { "alice:hunter2": x }`),
    HOSTS(`"alice:hunter2@x": { addresses: ["10.0.0.1"] }`),
  ];
  for (const text of secrets) {
    const problems = (await problemsOf(text)).join("\n");
    ok(problems !== "", text);
    equal(problems.includes("hunter2"), false, problems);
  }
});

Deno.test("random texts are refused with places, whatever they are", async () => {
  const { default: fc } = await import("fast-check");
  const pieces = fc.constantFrom(
    ...[
      "listeners",
      "routes",
      "policy",
      "hosts",
      "to",
      ": ",
      "\n",
      "  ",
      "- ",
      "{",
      "}",
      "[",
      "]",
      ",",
      '"',
      "'",
      "&a",
      "*a",
    ],
    ...[
      "|",
      ">",
      "!x",
      "#",
      "a",
      "edge",
      "allow",
      "address",
      ":1",
      "${A}",
      "$${",
      "\t",
      "?",
      "null",
      "10.0.0.1",
      "---",
      "%",
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 40 }), async (parts) => {
      await problemsOf(parts.join(""));
    }),
    { numRuns: 500 },
  );
});
