/** The keys of ugate.yaml: names, shapes, defaults, meanings. What keys mean together is in check_*.ts. */
import { z } from "zod";
import { DISCOVERY_SOURCES, LOG_FORMATS, LOG_LEVELS } from "./configuration.ts";
import { acme, certificate, issuer } from "./identity_schema.ts";
import { route } from "./route_schema.ts";
import * as scalars from "./scalars.ts";
import { duration, flag, integer, keys, list, oneOf, oneOrMany, related, scalar, size } from "./shapes.ts";
import {
  cidrs,
  CONNECTIONS,
  CONTENT,
  domain,
  keyFile,
  layer,
  listen,
  name,
  pattern,
  pemFile,
  ports,
  protocol,
  target,
  text,
  user,
  users,
} from "./value_schema.ts";

export const node = related(
  keys({
    name: ["what this gate is called; the name of the host where it is absent", domain.optional()],
    domain: [
      "the domain that this gate's names end with",
      scalar("a name", (written) => written === "" ? "" : scalars.readDomain(written)).prefault(""),
    ],
    trustDomain: ["the trust domain of identities", domain.prefault("cluster.local")],
    namespace: ["the namespace of identities", name.prefault("default")],
    state: [
      "where the gate keeps what has to outlive it; a relative path is from this file",
      text("a directory").optional(),
    ],
    key: [
      "its private key, in place of the one made at the first start: PEM or OpenSSH's format, without a passphrase",
      pemFile("a private key").optional(),
    ],
    certificate: [
      "its certificate, and those behind it; by default it signs one itself",
      pemFile("certificates").optional(),
    ],
    roots: ["who vouches for its peers", pemFile("root certificates").optional()],
  }),
  { right: (has) => !has("certificate") || has("key"), error: "needs key", key: "certificate" },
).prefault({});

export const listener = related(
  keys({
    address: ["where connections come in", oneOrMany(listen)],
    protocols: ["what may come in; several are told apart by their first bytes", list(protocol).optional()],
    to: ["where everything goes, and nothing is looked at: a plain forward", target.optional()],
    fallback: ["where unknown bytes go, and clients that stay silent", target.optional()],
    sniffTimeout: ["how long first bytes may take", duration().optional()],
    users: ["who may use the proxies of this listener: user names and passwords", users.optional()],
    proxyProtocol: ["who has to send a PROXY header first", cidrs.optional()],
    trustedProxies: ["whose X-Forwarded-* and Forwarded of requests are believed", cidrs.optional()],
    limits: [
      "bounds of this listener alone",
      keys({
        connections: ["connections at once", CONNECTIONS.optional()],
        perSource: ["connections at once of one source address", CONNECTIONS.optional()],
      }).prefault({}),
    ],
    clientCertificates: [
      "who clients have to be where their TLS ends here",
      keys({
        require: ["false: a client may have no certificate", flag().prefault("true")],
        ca: ["who vouches for their certificates", pemFile("root certificates")],
      }).optional(),
    ],
  }),
  { right: (has) => has("protocols") || has("to"), error: "expected protocols, or to for a plain forward" },
  {
    right: (has) => !has("protocols") || !has("to"),
    error: "excludes protocols: it is a plain forward",
    key: "to",
  },
  {
    right: (has) => !has("fallback") || !has("to"),
    error: "excludes to: nothing is sniffed",
    key: "fallback",
  },
);

export const host = related(
  keys({
    addresses: [
      "where this name lives",
      list(scalar("an address IP or IP:port", scalars.readHostAddress)).optional(),
    ],
    via: [
      "the proxy or gate that is dialed instead, and asked for the name; of ssh the port is 22, of tls 443",
      scalar(scalars.TARGET, scalars.readVia).optional(),
    ],
    layers: ["what is spoken there, outermost first", list(layer).optional()],
    credentials: [
      "who asks the proxy",
      scalar("user:password", scalars.readCredentials).optional(),
    ],
    identity: [
      "who has to be there; without it those whom ssh.knownHosts name",
      scalar(`an identity ${scalars.HOST_IDENTITY}`, scalars.readHostIdentity).optional(),
    ],
    user: ["the login name there; by default that of this process", user.optional()],
  }),
  { right: (has) => has("addresses") || has("via"), error: "expected addresses, or via and layers" },
  { right: (has) => !has("addresses") || !has("via"), error: "excludes addresses", key: "via" },
  { right: (has) => !has("via") || has("layers"), error: "needs layers: what is spoken there", key: "via" },
  { right: (has) => !has("layers") || has("via"), error: "needs via: where they are spoken", key: "layers" },
  {
    right: (has) => !has("credentials") || has("via"),
    error: "needs via: who asks for them",
    key: "credentials",
  },
  { right: (has) => !has("identity") || has("via"), error: "needs via: who is there", key: "identity" },
  { right: (has) => !has("user") || has("via"), error: "needs via: where to log in", key: "user" },
);

const keyFiles = (what: string) => list(keyFile(what)).optional();

export const ssh = keys({
  identities: [
    "what its client logs in with, one after the other: files of private keys, or agent; by default the node's key",
    list(text("the path of a private key, or agent")).optional(),
  ],
  knownHosts: [
    "whom its client believes: files as OpenSSH's known_hosts",
    list(text("the path of a file")).optional(),
  ],
  authorizedKeys: [
    "who may log in with keys, and by which authorities",
    keyFiles("keys as authorized_keys has them"),
  ],
  userAuthorities: ["who certifies users", keyFiles("public keys")],
  revokedKeys: ["keys and certificates that are worth nothing any more", keyFiles("public keys, or a KRL")],
  hostKey: [
    "who this gate is to SSH clients, in place of the node's own key: Ed25519 or ECDSA, without a passphrase",
    keyFile("a private key").optional(),
  ],
  banner: ["what clients are shown before they log in", text("a text").optional()],
  loginTimeout: ["how long a login may take", duration().prefault("2m")],
}).prefault({});

export const discovery = list(oneOf(DISCOVERY_SOURCES)).prefault(["file", "mesh", "dns"]);

export const dns = keys({
  servers: [
    "who is asked, in place of those of /etc/resolv.conf",
    list(scalar("an address IP or IP:port", scalars.readServer)).optional(),
  ],
  search: ["the domains that short names are completed with", list(domain).optional()],
}).prefault({});

export const matches = keys({
  listener: ["where the client came in", oneOrMany(name).optional()],
  protocol: ["what it speaks", oneOrMany(protocol).optional()],
  user: ["who has logged in", oneOrMany(user).optional()],
  identity: [
    "who the client has proven to be",
    oneOrMany(scalar(`an identity ${scalars.IDENTITY}`, scalars.readIdentity)).optional(),
  ],
  sources: ["where the client is", cidrs.optional()],
  hosts: ["the names that are asked for", oneOrMany(pattern).optional()],
  addresses: [
    "the addresses that are dialed",
    oneOrMany(scalar("a network such as 10.0.0.0/8, or unix:/path", scalars.readReach)).optional(),
  ],
  ports: ["the ports that are asked for", oneOrMany(ports).optional()],
});

export const rule = related(
  keys({
    allow: ["whom it lets through, and to where; all that is given has to match", matches.optional()],
    deny: ["whom it refuses, and where; all that is given has to match", matches.optional()],
  }),
  { right: (has) => has("allow") !== has("deny"), error: "expected either allow or deny" },
);

const reserve = z.record(z.string(), CONNECTIONS, { error: "expected a map of protocols and slots" });

export const limits = keys({
  connections: ["connections at once, of all listeners", CONNECTIONS.prefault("20000")],
  perSource: ["connections at once of one source address (IPv6: /64)", CONNECTIONS.prefault("1000")],
  reserve: ["slots that only this protocol may use, by its name", reserve.prefault({})],
  sniffTimeout: ["how long first bytes may take; the default of all listeners", duration().prefault("3s")],
  handshakeTimeout: ["how long a protocol's handshake may take", duration().prefault("10s")],
  dialTimeout: ["how long it may take to reach a target", duration().prefault("10s")],
  idleTimeout: ["how long a connection may carry nothing", duration().prefault("1h")],
  headTimeout: [
    "how long the head of a request may take, from its first byte on",
    duration().prefault("10s"),
  ],
  bodyTimeout: [
    "how long the content of a request may stand still, or a client take nothing",
    duration().prefault("60s"),
  ],
  keepAlive: ["how long a connection may wait for its next request", duration().prefault("75s")],
  requestsPerConnection: ["requests of one connection", integer(1, 1_000_000_000).prefault("10000")],
  bodySize: ["the size of a request's content; without it any", CONTENT.optional()],
  headSize: ["the size of a request's head", size(1024, 64 * 1024).prefault("64KiB")],
  grace: ["how long connections may go on when the gate stops", duration(0).prefault("30s")],
}).prefault({});

export const engine = keys({
  threads: ["threads that carry connections; needs a restart", integer(1, 256).prefault("1")],
}).prefault({});

const listenOrOff = scalar(
  `${scalars.LISTEN}, or off`,
  (written) => written === "off" ? undefined : scalars.readListen(written),
);

export const admin = keys({
  address: ["where the admin page is: loopback, or a unix socket", listenOrOff.prefault("127.0.0.1:15000")],
  metrics: ["where metrics and health are answered to anyone who asks", listenOrOff.prefault("off")],
}).prefault({});

export const log = keys({
  level: ["the least important lines that are written", oneOf(LOG_LEVELS).prefault("info")],
  format: ["auto: text on a terminal, JSON elsewhere", oneOf(LOG_FORMATS).prefault("auto")],
}).prefault({});

/** The whole file. Its parts are read one by one, so that a mistake in one hides none in another. */
export const file = keys({
  node: ["who this gate is", node],
  listeners: ["where connections come in, by a name for each", z.record(name, listener).optional()],
  routes: ["where what came in goes: the first that matches", z.array(route).optional()],
  certificates: ["who this gate is where TLS ends here", z.array(certificate).optional()],
  acme: ["who issues certificates for names that no file is for", acme.optional()],
  issuers: ["whose tokens are believed", z.array(issuer).optional()],
  hosts: ["where names live", z.record(pattern, host).optional()],
  ssh: ["who may log in where SSH ends here; who this gate is as its client, and whom it believes", ssh],
  discovery: ["who is asked for names, in this order", discovery],
  dns: ["how the DNS is asked", dns],
  policy: ["what clients may ask for: the first rule that matches", z.array(rule).optional()],
  limits: ["bounds of sizes, times and connections", limits],
  engine: ["what carries the connections", engine],
  admin: ["where the gate answers about itself", admin],
  log: ["what is told of connections and of the gate", log],
});
