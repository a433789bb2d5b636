/** Keys of a route that answer requests, or change them and their responses. */
import { z } from "zod";
import * as texts from "./http_texts.ts";
import { FROM_ENVIRONMENT, integer, keys, list, oneOf, related, scalar } from "./shapes.ts";
import { Mistake, readFieldValue, type Reading } from "./scalars.ts";

/** Octets of what one map of fields adds to a head. */
const MOST_FIELDS = 8 * 1024;
const MOST_BODY = 64 * 1024;
/** RFC 9110 15.3.5, 15.3.6, 15.4.5. */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);
/** RFC 9110 15.4, without those that are no redirects to another place, or deprecated. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const STATUS = `one of ${REDIRECTS.join(", ")}`;
const BODY = "a text of at most 64 KiB";

const encoder = new TextEncoder();
const octetsOf = (text: string): number => encoder.encode(text).length;

const fieldValue = scalar(texts.FIELD_VALUE, readFieldValue);
const newPath = scalar(texts.NEW_PATH, texts.readNewPath);

/** A map of fields, in which each is there once. */
function fields(readName: (name: string) => Reading<string>) {
  return z.record(scalar(texts.FIELD_NAME, readName), fieldValue, {
    error: "expected a map of headers and their values",
  }).superRefine((given, context) => {
    const names = Object.keys(given);
    for (const [i, name] of names.entries()) {
      const first = names.findIndex((other) => other.toLowerCase() === name.toLowerCase());
      if (first < i) {
        context.addIssue({ code: "custom", message: `${names[first]} is the same header`, path: [name] });
      }
    }
    const size = Object.entries(given).reduce((sum, field) => sum + octetsOf(field.join(": ")) + 2, 0);
    if (size > MOST_FIELDS) {
      context.addIssue({ code: "custom", message: `${size} bytes of headers are more than ${MOST_FIELDS}` });
    }
  });
}

function fieldChanges(readName: (name: string) => Reading<string>) {
  return related(
    keys({
      set: ["headers in place of those of the same name", fields(readName).optional()],
      add: ["headers beside those of the same name", fields(readName).optional()],
      remove: ["names of headers that do not go on", list(scalar(texts.FIELD_NAME, readName)).optional()],
    }),
    {
      right: (has) => has("set") || has("add") || has("remove"),
      error: "expected at least one of set, add, remove",
    },
  ).optional();
}

const redirectStatus = scalar(
  STATUS,
  (text) => REDIRECTS.find((status) => String(status) === text) ?? new Mistake(STATUS),
  { anyOf: [{ type: "integer", enum: REDIRECTS }, FROM_ENVIRONMENT] },
);

const redirect = related(
  keys({
    scheme: ["the scheme of the other place", oneOf(["http", "https"]).optional()],
    host: ["its host", scalar(texts.URI_HOST, texts.readUriHost).optional()],
    port: ["its port; without it that of the request, or of the new scheme", integer(1, 65535).optional()],
    path: ["what takes the place of the matched prefix, or of the whole path", newPath.optional()],
    status: ["how it is said", redirectStatus.prefault("302")],
  }),
  {
    right: (has) => has("scheme") || has("host") || has("port") || has("path"),
    error: "expected at least one of scheme, host, port, path: it would lead back here",
  },
);

const respond = keys({
  status: ["the status", integer(200, 599).prefault("200")],
  headers: ["headers of the response", fields(texts.readResponseField).prefault({})],
  body: [
    "its content",
    scalar(BODY, (text) => octetsOf(text) <= MOST_BODY ? text : new Mistake(BODY)).prefault(""),
  ],
}).refine(({ status, body }) => body === "" || !WITHOUT_CONTENT.has(status), {
  error: "204, 205 and 304 have no content",
  path: ["body"],
});

const rewrite = related(
  keys({
    host: ["the Host that is sent", scalar(texts.AUTHORITY, texts.readAuthority).optional()],
    path: ["what takes the place of the matched prefix, or of the whole path", newPath.optional()],
  }),
  { right: (has) => has("host") || has("path"), error: "expected host or path" },
);

/** Of routes: see schema.ts. */
export const filters = {
  redirect: ["requests are sent elsewhere: what is absent stays as they had it", redirect.optional()],
  respond: ["requests are answered with this", respond.optional()],
  rewrite: ["what the target gets in place of the request's own", rewrite.optional()],
  requestHeaders: ["what changes of the headers that the target gets", fieldChanges(texts.readRequestField)],
  responseHeaders: [
    "what changes of the headers that the client gets",
    fieldChanges(texts.readResponseField),
  ],
} as const;

/** Keys of a route that answer requests in place of a target. */
export const ACTIONS = ["redirect", "respond", "files"] as const;

/** Keys that ask something of requests, whoever answers. */
const OF_REQUESTS = ["path", "encodedSlash", "method", "headers", "query", "bodySize", "rateLimit", "auth"];

const acts = (has: (key: string) => boolean): boolean => ACTIONS.some((key) => has(key));

/** What these keys need and exclude. */
export const filterRelations = [
  ...ACTIONS.map((key, i) => ({
    right: (has: (key: string) => boolean) => !has(key) || !["to", ...ACTIONS.slice(0, i)].some(has),
    error: `excludes ${["to", ...ACTIONS.slice(0, i)].join(", ")}: one answer is enough`,
    key,
  })),
  ...(["rewrite", "requestHeaders"] as const).map((key) => ({
    right: (has: (key: string) => boolean) => !has(key) || has("to"),
    error: "needs to: who gets the request",
    key,
  })),
  ...Object.entries({
    timeout: "whose answer is waited for",
    retries: "who is asked again",
    mirror: "whose requests are copied",
    compress: "whose content is meant",
  }).map(([key, whose]) => ({
    right: (has: (key: string) => boolean) => !has(key) || has("to") || has("files"),
    error: `needs to: ${whose}`,
    key,
  })),
  {
    right: (has: (key: string) => boolean) => !has("responseHeaders") || has("to") || acts(has),
    error: `needs to, ${ACTIONS.join(" or ")}: whose response is meant`,
    key: "responseHeaders",
  },
  ...OF_REQUESTS.map((key) => ({
    right: (has: (key: string) => boolean) => !has(key) || !has("tls") || has("to") || acts(has),
    error: `needs to, ${ACTIONS.join(" or ")}: what was inside of TLS comes in again, for a route of its own`,
    key,
  })),
];
