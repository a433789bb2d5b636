/** The keys of a route. */
import { z } from "zod";
import { ACTIONS, filterRelations, filters } from "./filter_schema.ts";
import { auth, upstreamTls } from "./identity_schema.ts";
import * as scalars from "./scalars.ts";
import { duration, integer, keys, list, oneOf, oneOrMany, related, scalar } from "./shapes.ts";
import { backend, cidrs, CONTENT, name, pattern, protocol, text } from "./value_schema.ts";

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
