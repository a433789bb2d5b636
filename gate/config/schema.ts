/** The keys of ugate.yaml: names, shapes, defaults, meanings. What keys mean together is in check_*.ts. */
import { z } from "zod";
import { DISCOVERY_SOURCES, LOG_FORMATS, LOG_LEVELS } from "./configuration.ts";
import { ACTIONS, filterRelations, filters } from "./filter_schema.ts";
import * as scalars from "./scalars.ts";
import { Mistake } from "./scalars.ts";
import { duration, flag, integer, keys, list, oneOf, oneOrMany, related, scalar, size } from "./shapes.ts";

const text = (expected: string) => scalar(expected, (written) => written || new Mistake(expected));
const name = scalar(scalars.NAME, scalars.readName);
/** Which names there are the registry says: see json_schema.ts. */
export const protocol = text("the name of a protocol");
export const layer = text("the name of a protocol");
const domain = scalar("a name", scalars.readDomain);
const user = scalar("a user name without a colon", scalars.readUser);
const target = scalar(scalars.TARGET, scalars.readTarget);
const backend = scalar(scalars.BACKEND, scalars.readBackend);
const CONTENT = size(0, 1024 ** 4);
const issuerUrl = scalar(scalars.ISSUER, scalars.readIssuer);
const keySource = scalar(scalars.KEY_SOURCE, scalars.readKeySource);
const claims = z.record(z.string().min(1), text("a text"), { error: "expected a map of claims and values" });
const listen = scalar(scalars.LISTEN, scalars.readListen);
const cidrs = oneOrMany(scalar("a network such as 10.0.0.0/8 or fd00::/8", scalars.readCidr));
const pattern = scalar(scalars.PATTERN, scalars.readPattern);
/** Port ranges may be numbers for a reader of YAML. */
const ports = scalar('a port or a range such as 443 or "8000-8999"', scalars.readPorts, {
  anyOf: [{ type: "integer", minimum: 1, maximum: 65535 }, { type: "string" }],
});
const CONNECTIONS = integer(1, 10_000_000);
const pemFile = (what: string) => {
  const expected = `the path of a file with ${what} in PEM`;
  return scalar(expected, (path) => path === "" || path.includes("\n") ? new Mistake(expected) : path);
};

export const node = keys({
  name: ["what this gate is called; the name of the host where it is absent", domain.optional()],
  domain: [
    "the domain that this gate's names end with",
    scalar("a name", (written) => written === "" ? "" : scalars.readDomain(written)).prefault(""),
  ],
  trustDomain: ["the trust domain of identities", domain.prefault("cluster.local")],
  namespace: ["the namespace of identities", name.prefault("default")],
  state: ["where the gate keeps what has to outlive it", text("a directory").optional()],
}).prefault({});

const users = z.record(
  user,
  scalar("a password, or a hash as `ugate hash` prints it", scalars.readPassword),
  { error: "expected a map of user names and passwords" },
).refine((users) => Object.keys(users).length > 0, { error: "expected at least one" });

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

const exact = scalar(scalars.PATH, scalars.readPath);
const regex = scalar(scalars.REGEX, scalars.readRegex);
/** Numbers and flags are texts here, and may be written as what they look like. */
const ANY_SCALAR = { anyOf: [{ type: "string" }, { type: "number" }, { type: "boolean" }] };
const named = (what: string, value: z.ZodType<string>) =>
  z.record(z.string(), value, { error: `expected a map of ${what} and values` })
    .refine((map) => Object.keys(map).length > 0, { error: "expected at least one" });
const headerMatches = named(
  "header names",
  scalar("the value of a header", scalars.readFieldValue, ANY_SCALAR),
);
const queryMatches = named("parameters", scalar("a text", (written) => written, ANY_SCALAR));
const pathForms = related(
  keys({
    exact: ["this path alone", exact.optional()],
    regex: ["the paths in which it matches somewhere", regex.optional()],
  }),
  { right: (has) => has("exact") !== has("regex"), error: "expected either exact or regex" },
);
const checkPath = scalar(scalars.CHECK_PATH, scalars.readCheckPath);
const mirror = scalar(scalars.MIRROR, scalars.readMirror);
/** Statuses may be numbers for a reader of YAML. */
const retryReason = scalar(scalars.RETRY, scalars.readRetryReason, {
  anyOf: [
    ...[{ type: "integer", enum: scalars.RETRY_REASONS.slice(1) }, {
      enum: scalars.RETRY_REASONS.map(String),
    }],
    { type: "string", pattern: "\\$\\{" },
  ],
});
const weighted = keys({
  to: ["where connections go", backend],
  weight: ["its share, beside those of the others", integer(1, 1000).prefault("1")],
});
const TO = `expected ${scalars.BACKEND}, a list of them, or a list of { to, weight }`;

export const certificate = keys({
  cert: ["the certificate, whose names it is for, and those behind it", pemFile("certificates")],
  key: ["its private key, without a passphrase", pemFile("a private key")],
});

export const acme = keys({
  email: ["whom the authority writes to", scalar(scalars.EMAIL, scalars.readEmail).optional()],
  directory: [
    "the authority's ACME directory; by default Let's Encrypt's, whose terms are agreed to by this key",
    scalar(scalars.DIRECTORY, scalars.readDirectory).prefault(scalars.LETS_ENCRYPT),
  ],
  ca: [
    "who vouches for the directory itself, in place of Mozilla's roots",
    pemFile("root certificates").optional(),
  ],
  names: [
    "names to get certificates for beside the hosts of routes that end TLS",
    list(scalar(scalars.EXACT_NAME, scalars.readExactName)).optional(),
  ],
});

const upstreamTls = related(
  keys({
    ca: [
      "who vouches for the certificates of https:// targets, in place of this system's roots",
      pemFile("root certificates").optional(),
    ],
    serverName: [
      "whom they have to be, in place of each target's host",
      scalar(scalars.SERVER_NAME, scalars.readServerName).optional(),
    ],
    certificate: ["who this gate is to them, where they ask", pemFile("certificates").optional()],
    key: ["the private key of that, without a passphrase", pemFile("a private key").optional()],
    insecure: ["true: whoever answers is believed", flag().prefault("false")],
  }),
  { right: (has) => !has("certificate") || has("key"), error: "needs key", key: "certificate" },
  { right: (has) => !has("key") || has("certificate"), error: "needs certificate", key: "key" },
);

export const issuer = keys({
  issuer: ["who signs the tokens: exactly as their `iss` has it", issuerUrl],
  jwks: ["its public keys, a JWK Set: fetched from a URL, or a file", keySource],
  audiences: [
    "whom its tokens have to be for, where the route does not say",
    list(text("an audience")).optional(),
  ],
});

export const auth = related(
  keys({
    basic: ["user names and passwords (Basic)", users.optional()],
    jwt: [
      "which bearer tokens are taken",
      keys({
        issuer: ["the one of issuers that has to have signed it", issuerUrl],
        audiences: ["whom it has to be for, one of these", list(text("an audience")).optional()],
        claims: ["what it has to say, all of these", claims.prefault({})],
      }).optional(),
    ],
    certificate: ["true: who has a certificate that the listener's roots vouch for", flag().optional()],
  }),
  {
    right: (has) => has("basic") || has("jwt") || has("certificate"),
    error: "expected basic, jwt or certificate",
  },
  {
    right: (has) => !has("basic") || !has("jwt"),
    error: "excludes basic: a request has one Authorization",
    key: "jwt",
  },
);

/** What says something of requests, and nothing of bytes that go on as they came. */
const requestKeys = {
  path: [
    "the only paths it is for, where it is handled as HTTP: a prefix of whole segments, { exact } or { regex }",
    z.union([scalar(scalars.PATH, scalars.readPrefix), pathForms], {
      error: `expected ${scalars.PATH}, or { exact }, or { regex }`,
    }).optional(),
  ],
  encodedSlash: [
    "keep: an encoded slash in a path is a character as any other; else such a path is refused",
    oneOf(["refuse", "keep"]).optional(),
  ],
  method: [
    "the only methods it is for",
    oneOrMany(scalar(scalars.METHOD, scalars.readMethod)).optional(),
  ],
  headers: ["the headers that a request has to have, with these very values", headerMatches.optional()],
  query: ["the parameters that a request has to have, with these very values", queryMatches.optional()],
  timeout: ["how long the target may take to answer a request", duration().optional()],
  bodySize: ["the size of a request's content, in place of limits.bodySize", CONTENT.optional()],
  ...filters,
  files: [
    "the directory whose files are served below the matched prefix, in place of a target",
    text("a directory").optional(),
  ],
  compress: [
    "how content may be compressed for clients, the best first",
    list(oneOf(scalars.CODINGS)).optional(),
  ],
  rateLimit: [
    "how often each source may ask; others get 429",
    keys({
      requests: ["so many at once", integer(1, 1_000_000)],
      per: ["and as many again in this time, one after the other", duration()],
    }).optional(),
  ],
  retries: [
    "how often a request is sent again that failed, where that is safe",
    keys({
      attempts: ["times it is sent again", integer(1, 10).prefault("2")],
      on: ["what is tried again", list(retryReason).prefault(["connect", "502", "503"])],
    }).optional(),
  ],
  mirror: ["where a copy of each request goes, whose answer is thrown away", mirror.optional()],
  auth: ["who may make requests: all that is given has to be proven", auth.optional()],
} as const;
export const REQUEST_KEYS = Object.keys(requestKeys) as (keyof typeof requestKeys)[];

const routeKeys = keys({
  listener: ["the only listener it is for", name.optional()],
  protocol: ["the only protocol it is for", protocol.optional()],
  host: ["the only names it is for (SNI, Host)", pattern.optional()],
  sources: ["the only clients it serves; others are closed", cidrs.optional()],
  to: [
    "where connections go; several targets are balanced",
    z.union([backend, list(z.union([backend, weighted], { error: TO }))], { error: TO }).optional(),
  ],
  tls: [
    "terminate: TLS ends here, and what is inside goes on; without `to` it comes in again",
    oneOf(["terminate"]).optional(),
  ],
  ...requestKeys,
  upstreamTls: ["how its https:// targets are spoken to", upstreamTls.optional()],
  proxyProtocol: ["the PROXY header that is written to the target", oneOf(["v1", "v2"]).optional()],
  check: [
    "the active health check of its targets: a TCP connect, or with a path an HTTP GET",
    keys({
      interval: ["the time between checks", duration().prefault("5s")],
      timeout: ["how long one may take", duration().prefault("2s")],
      path: ["what is asked by HTTP, and has to be answered with 2xx or 3xx", checkPath.optional()],
    }).optional(),
  ],
});

export const route = related(
  routeKeys,
  {
    right: (has) => has("to") || has("tls") || ACTIONS.some(has),
    error: `${TO}, or tls: terminate, or ${ACTIONS.join(", ")}, got nothing`,
    key: "to",
  },
  ...filterRelations,
  { right: (has) => has("to") || !has("check"), error: "needs to: what is checked", key: "check" },
  {
    right: (has) => has("to") || !has("proxyProtocol"),
    error: "needs to: where the header is written",
    key: "proxyProtocol",
  },
);

export const host = related(
  keys({
    addresses: [
      "where this name lives",
      list(scalar("an address IP or IP:port", scalars.readHostAddress)).optional(),
    ],
    via: ["the proxy that is dialed instead, and asked for the name", target.optional()],
    layers: ["what is spoken there, outermost first", list(layer).optional()],
    credentials: [
      "who asks the proxy",
      scalar("user:password", scalars.readCredentials).optional(),
    ],
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
);

export const discovery = list(oneOf(DISCOVERY_SOURCES)).prefault(["file", "dns"]);

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
  discovery: ["who is asked for names, in this order", discovery],
  dns: ["how the DNS is asked", dns],
  policy: ["what clients may ask for: the first rule that matches", z.array(rule).optional()],
  limits: ["bounds of sizes, times and connections", limits],
  engine: ["what carries the connections", engine],
  admin: ["where the gate answers about itself", admin],
  log: ["what is told of connections and of the gate", log],
});
