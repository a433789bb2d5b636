/** The tree as typed parts. What is wrong is reported and left out, so that the checks go on with the rest. */
import type { z } from "zod";
import type { Limits } from "../contracts.ts";
import type { FilesSite } from "../requests.ts";
import { isUnixHost } from "../address.ts";
import { asOctets } from "../request_query.ts";
import type { NamedValue, PathMatch, PolicyRule } from "../snapshot.ts";
import type {
  Configuration,
  HostConfiguration,
  ListenerConfiguration,
  RouteConfiguration,
} from "./configuration.ts";
import type { Findings } from "./problems.ts";
import { type Located, type Part, readList, readNamed, readPart, readRightKeys } from "./read.ts";
import { readName, readPattern } from "./scalars.ts";
import * as identity from "./identity_schema.ts";
import { route as routeSchema } from "./route_schema.ts";
import * as schema from "./schema.ts";
import { suggestion } from "./suggest.ts";
import { nodeAt, type Path } from "./tree.ts";

export interface Sections {
  readonly node: z.output<typeof schema.node>;
  readonly listeners: Part<Map<string, Located<ListenerConfiguration>>>;
  /** Plain forwards first. */
  readonly routes: Part<Located<RouteConfiguration>[]>;
  readonly certificates: Part<Located<z.output<typeof identity.certificate>>[]>;
  /** Not whole: it is written, and wrong. */
  readonly acme: { readonly whole: boolean; readonly value?: z.output<typeof identity.acme> };
  readonly issuers: Part<Located<z.output<typeof identity.issuer>>[]>;
  readonly hosts: Part<Map<string, Located<HostConfiguration>>>;
  readonly ssh: z.output<typeof schema.ssh>;
  readonly policy: Part<Located<PolicyRule>[]>;
  readonly limits: Limits;
  readonly admin: Configuration["admin"];
  /** What needs no further check. */
  readonly rest: Pick<Configuration, "discovery" | "dns" | "engine" | "log">;
}

export function readSections(findings: Findings): Sections {
  unknownKeys(findings);
  const limits = readKeys(schema.limits, "limits", findings);
  const listeners = readNamed(schema.listener, "listeners", readName, findings);
  const forwards = Array.from(listeners.items).flatMap(([name, from]) => forwardOf(name, from, findings));
  const routes = mapPart(readList(routeSchema, "routes", findings), ({ path, value }) => ({
    path,
    value: routeOf(findings.locate(path), value),
  }));
  return {
    node: readOrDefault(schema.node, "node", findings),
    listeners: mapNamed(listeners, (name, value, path) => {
      const places = value.address.map((_, i) => findings.locate(findings.item([...path, "address"], i)));
      return { ...listenerOf(name, value, limits.sniffTimeout), places };
    }),
    routes: { ...routes, items: [...forwards, ...routes.items] },
    certificates: readList(identity.certificate, "certificates", findings),
    acme: readAcme(findings),
    issuers: readList(identity.issuer, "issuers", findings),
    hosts: mapNamed(readNamed(schema.host, "hosts", readPattern, findings), hostOf),
    policy: mapPart(readList(schema.rule, "policy", findings), ({ path, value }) => ({
      path,
      value: ruleOf(findings.locate(path), value),
    })),
    ssh: readKeys(schema.ssh, "ssh", findings),
    limits,
    admin: readKeys(schema.admin, "admin", findings),
    rest: {
      discovery: readOrDefault(schema.discovery, "discovery", findings),
      dns: readOrDefault(schema.dns, "dns", findings),
      engine: readOrDefault(schema.engine, "engine", findings),
      log: readOrDefault(schema.log, "log", findings),
    },
  };
}

function readAcme(findings: Findings): Sections["acme"] {
  if (nodeAt(findings.root, ["acme"]) === undefined) return { whole: true };
  const value = readPart(identity.acme, ["acme"], findings);
  return { whole: value !== undefined, value };
}

function unknownKeys(findings: Findings): void {
  const known = Object.keys(schema.file.shape);
  const written = findings.root.kind === "map" ? findings.root.entries.keys() : [];
  for (const key of written) {
    if (!known.includes(key)) findings.errorAtKey([key], `unknown key${suggestion(key, known)}`);
  }
}

/** A section that is wrong is reported, and its default stands in for it. */
function readOrDefault<S extends z.ZodType>(part: S, section: string, findings: Findings): z.output<S> {
  return readPart(part, [section], findings) ?? part.parse(undefined);
}

/** As readOrDefault, but for the keys that are right. */
function readKeys<S extends z.ZodPrefault<z.ZodObject<Readonly<Record<string, z.ZodType>>>>>(
  part: S,
  section: string,
  findings: Findings,
): z.output<S> {
  const whole = readPart(part, [section], findings);
  if (whole !== undefined) return whole;
  const { shape } = part.unwrap();
  return Object.assign(part.parse(undefined), readRightKeys(shape, [section], findings));
}

function mapPart<A, B>(part: Part<A[]>, map: (item: A) => B): Part<B[]> {
  return { ...part, items: part.items.map(map) };
}

function mapNamed<A, B>(part: Part<Map<string, Located<A>>>, map: (name: string, value: A, path: Path) => B) {
  const items = Array.from(part.items, ([name, { path, value }]) => {
    return [name, { path, value: map(name, value, path) }] as const;
  });
  return { ...part, items: new Map<string, Located<B>>(items) };
}

function listenerOf(
  name: string,
  { address, protocols, to, proxyProtocol, sniffTimeout, ...rest }: z.output<typeof schema.listener>,
  defaultTimeout: number,
): Omit<ListenerConfiguration, "places"> {
  return {
    ...rest,
    name,
    addresses: address,
    protocols: protocols ?? (to ? ["tcp"] : []),
    sniffTimeout: sniffTimeout ?? defaultTimeout,
    proxyProtocol: proxyProtocol ?? [],
  };
}

/** `to` of a listener is short for a route. */
function forwardOf(
  listener: string,
  { path, value }: Located<z.output<typeof schema.listener>>,
  findings: Findings,
): Located<RouteConfiguration>[] {
  if (value.to === undefined) return [];
  const at = [...path, "to"];
  const to = [{ target: value.to, weight: 1 }];
  return [{ path: at, value: { place: findings.locate(at), listener, protocol: "tcp", to } }];
}

/** Handled as HTTP where its targets say so; the checks see that all of them do. */
function routeOf(
  place: string,
  { to, path, encodedSlash, method, headers, query, ...keys }: z.output<typeof routeSchema>,
): RouteConfiguration {
  const { redirect, respond, rewrite, requestHeaders, responseHeaders, ...others } = keys;
  const { timeout, bodySize, files: directory, compress, rateLimit, retries, mirror, auth, ...rest } = others;
  const filters = { redirect, respond, rewrite, requestHeaders, responseHeaders };
  const files = directory === undefined ? undefined : filesOf(directory, path);
  const rules = { timeout, bodySize, ...filters, files, compress, rateLimit, retries, mirror, auth };
  const backends = backendsOf(to), asked = { path, encodedSlash, method, headers, query };
  const handled = backends.some(({ http }) => http) ||
    [...Object.values(asked), ...Object.values(rules)].some((key) => key !== undefined);
  const secureOnly = rest.tls && { secureOnly: true as const };
  const prefix = path && "prefix" in path ? path.prefix : undefined;
  const http = handled ? { ...requestMatch(asked), http: { ...rules, ...secureOnly, prefix } } : {};
  const route = { ...rest, place, to: backends, ...http };
  return rest.tls === undefined ? route : { ...route, host: routedHost(rest) };
}

/** The directory is made absolute where it is looked at (content.ts). */
function filesOf(directory: string, path: RequestKeys["path"]): FilesSite {
  const prefix = path && "prefix" in path && path.prefix !== "/" ? path.prefix : "";
  return { directory, prefix };
}

type RequestKeys = Pick<
  Partial<z.output<typeof routeSchema>>,
  "path" | "encodedSlash" | "method" | "headers" | "query"
>;

/** What requests are matched by. */
export function requestMatch(
  { path, encodedSlash, method, headers, query }: RequestKeys,
): Pick<RouteConfiguration, "path" | "encodedSlash" | "method" | "headers" | "query"> {
  return {
    path: path && pathMatch(path),
    encodedSlash,
    method,
    headers: headers && named(headers).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    query: query && named(query),
  };
}

function pathMatch(path: NonNullable<RequestKeys["path"]>): PathMatch {
  if ("prefix" in path) return path;
  const { exact, regex } = path;
  return exact === undefined ? { regex: regex! } : { exact };
}

const named = (map: Readonly<Record<string, string>>): NamedValue[] =>
  Object.entries(map).map(([name, value]) => ({ name: asOctets(name), value: asOctets(value) }));

/** What ends TLS is for TLS alone: as `*` is, and no host is not. */
export const routedHost = (
  { host, tls }: Pick<RouteConfiguration, "host" | "tls">,
): string | undefined => tls === undefined ? host : host ?? "*";

/** One target, or a list of them, weighted or not; undefined: none. */
export function backendsOf(to: z.output<typeof routeSchema>["to"]): RouteConfiguration["to"] {
  if (to === undefined) return [];
  return (Array.isArray(to) ? to : [to]).map((one) => {
    const { target, http, secure } = "to" in one ? one.to : one, weight = "to" in one ? one.weight : 1;
    if (!http) return { target, weight };
    return secure ? { target, weight, http, secure } : { target, weight, http };
  });
}

function ruleOf(place: string, { allow, deny }: z.output<typeof schema.rule>): PolicyRule {
  return { place, verdict: allow ? "allow" : "deny", ...allow, ...deny };
}

function hostOf(
  name: string,
  { addresses, layers = [], via, ...rest }: z.output<typeof schema.host>,
): HostConfiguration {
  const port = via && (via.port || isUnixHost(via.host) ? via.port : PORTS[layers[0]] ?? 0);
  return {
    ...rest,
    name,
    ...via && { via: { host: via.host, port: port! } },
    addresses: addresses ?? [],
    layers,
  };
}

/** Where layers are usually spoken, by the outermost. */
const PORTS: Readonly<Record<string, number>> = { ssh: 22, tls: 443 };
