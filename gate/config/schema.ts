/** The keys of ugate.yaml: names, shapes, defaults. What keys mean together is in check_*.ts. */
import { z } from "zod";
import { DISCOVERY_SOURCES, LOG_FORMATS, LOG_LEVELS } from "./configuration.ts";
import * as scalars from "./scalars.ts";
import { Mistake } from "./scalars.ts";
import { duration, integer, keys, list, oneOf, oneOrMany, related, scalar, size } from "./shapes.ts";

const text = (expected: string) => scalar(expected, (written) => written || new Mistake(expected));
const name = scalar(scalars.NAME, scalars.readName);
const domain = scalar("a name", scalars.readDomain);
const target = scalar(scalars.TARGET, scalars.readTarget);
const listen = scalar(scalars.LISTEN, scalars.readListen);
const cidrs = oneOrMany(scalar("a network such as 10.0.0.0/8 or fd00::/8", scalars.readCidr));
const pattern = scalar(scalars.PATTERN, scalars.readPattern);
/** Port ranges may be numbers for a reader of YAML. */
const ports = scalar('a port or a range such as 443 or "8000-8999"', scalars.readPorts, {
  anyOf: [{ type: "integer", minimum: 1, maximum: 65535 }, { type: "string" }],
});
const CONNECTIONS = integer(1, 10_000_000);

export const node = keys({
  name: domain.optional(),
  domain: scalar("a name", (written) => written === "" ? "" : scalars.readDomain(written)).prefault(""),
  trustDomain: domain.prefault("cluster.local"),
  namespace: name.prefault("default"),
  state: text("a directory").optional(),
}).prefault({});

export const listener = related(
  keys({
    address: oneOrMany(listen),
    protocols: list(text("the name of a protocol")).optional(),
    to: target.optional(),
    fallback: target.optional(),
    sniffTimeout: duration().optional(),
    users: z.record(
      scalar("a user name without a colon", scalars.readUser),
      scalar("a password, or a hash as `ugate hash` prints it", scalars.readPassword),
      { error: "expected a map of user names and passwords" },
    ).refine((users) => Object.keys(users).length > 0, { error: "expected at least one" }).optional(),
    proxyProtocol: cidrs.optional(),
    limits: keys({ connections: CONNECTIONS.optional(), perSource: CONNECTIONS.optional() }).prefault({}),
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

const weighted = keys({ to: target, weight: integer(1, 1000).prefault("1") });
const TO = `expected ${scalars.TARGET}, a list of them, or a list of { to, weight }`;

export const route = keys({
  listener: name.optional(),
  protocol: text("the name of a protocol").optional(),
  host: pattern.optional(),
  sources: cidrs.optional(),
  to: z.union([target, list(z.union([target, weighted], { error: TO }))], { error: TO }),
  proxyProtocol: oneOf(["v1", "v2"]).optional(),
  check: keys({ interval: duration().prefault("5s"), timeout: duration().prefault("2s") }).optional(),
});

export const host = related(
  keys({
    addresses: list(scalar("an address IP or IP:port", scalars.readHostAddress)).optional(),
    via: target.optional(),
    layers: list(text("the name of a protocol")).optional(),
    credentials: scalar("user:password", scalars.readCredentials).optional(),
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
  servers: list(scalar("an address IP:port", scalars.readSocketAddress)).optional(),
  search: list(domain).optional(),
}).prefault({});

const matches = keys({
  listener: oneOrMany(name).optional(),
  protocol: oneOrMany(text("the name of a protocol")).optional(),
  user: oneOrMany(scalar("a user name without a colon", scalars.readUser)).optional(),
  sources: cidrs.optional(),
  hosts: oneOrMany(pattern).optional(),
  addresses: oneOrMany(scalar("a network such as 10.0.0.0/8, or unix:/path", scalars.readReach)).optional(),
  ports: oneOrMany(ports).optional(),
});

export const rule = related(
  keys({ allow: matches.optional(), deny: matches.optional() }),
  { right: (has) => has("allow") !== has("deny"), error: "expected either allow or deny" },
);

export const limits = keys({
  connections: CONNECTIONS.prefault("20000"),
  perSource: CONNECTIONS.prefault("1000"),
  reserve: z.record(z.string(), CONNECTIONS, { error: "expected a map of protocols and slots" }).prefault({}),
  sniffTimeout: duration().prefault("3s"),
  handshakeTimeout: duration().prefault("10s"),
  dialTimeout: duration().prefault("10s"),
  idleTimeout: duration().prefault("1h"),
  headSize: size(1024, 16 * 1024 * 1024).prefault("64KiB"),
  grace: duration(0).prefault("30s"),
}).prefault({});

export const engine = keys({ threads: integer(1, 256).prefault("1") }).prefault({});

const listenOrOff = scalar(
  `${scalars.LISTEN}, or off`,
  (written) => written === "off" ? undefined : scalars.readListen(written),
);
export const admin = keys({
  address: listenOrOff.prefault("127.0.0.1:15000"),
  metrics: listenOrOff.prefault("off"),
}).prefault({});

export const log = keys({
  level: oneOf(LOG_LEVELS).prefault("info"),
  format: oneOf(LOG_FORMATS).prefault("auto"),
})
  .prefault({});

/** The whole file. Its parts are read one by one, so that a mistake in one hides none in another. */
export const file = keys({
  node,
  listeners: z.record(name, listener).optional(),
  routes: z.array(route).optional(),
  hosts: z.record(pattern, host).optional(),
  discovery,
  dns,
  policy: z.array(rule).optional(),
  limits,
  engine,
  admin,
  log,
});

/** For editors and validators (JSON Schema 2020-12): what may be written, before the environment is put in. */
export function jsonSchema(): object {
  return z.toJSONSchema(file, {
    io: "input",
    override: ({ jsonSchema }) => {
      // zod says { type: string } of every scalar here; where a shape of its own is given, that alone holds.
      if (jsonSchema.anyOf && jsonSchema.type === "string") delete jsonSchema.type;
      const number = typeof jsonSchema.default === "string" && /^[0-9]+$/.test(jsonSchema.default);
      if (number) jsonSchema.default = Number(jsonSchema.default);
    },
  });
}
