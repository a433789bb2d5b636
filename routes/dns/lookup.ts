/** From a name to places: aliases, both address families, services. */
import { asGateError, GateError } from "../../gate/errors.ts";
import type { Answer } from "../answers.ts";
import { within } from "../deadline.ts";
import { NXDOMAIN } from "./client.ts";
import type { DnsRecord, Question, Response } from "./message.ts";

/** Asks the servers; rejects with GateError. */
export type Ask = (question: Question, signal: AbortSignal) => Promise<Response>;

/** `host` is an IP literal; port and weight come from SRV. */
export interface Place {
  readonly host: string;
  readonly port?: number;
  readonly weight?: number;
}

/** undefined: nobody knows the name, or it has no address. */
export type Places = Answer<readonly Place[] | undefined>;

/** No answer is believed for less or longer, seconds. */
const SHORTEST_TTL = 1;
const LONGEST_TTL = 3600;
/** RFC 2308 section 5 allows hours; who has just registered a name waits for this. */
const LONGEST_NEGATIVE_TTL = 300;
/** How long the addresses of one family hold where the other family's did not come, ms. */
const PARTIAL_LIFETIME = 5000;
/**
 * How long the other family is waited for, ms, once one has addresses. RFC 8305 section 3 says 50 for dialing what
 * is there; here what is late is not dialed at all.
 */
const RESOLUTION_DELAY = 300;
const MOST_ALIASES = 16;
const MOST_PER_FAMILY = 32;
const MOST_SERVICES = 16;
const MOST_PLACES = 64;

const SERVICE = /^_[^.]+\._[^.]+\./;

/** Where a normal name lives: by SRV where it is `_service._proto.name` (RFC 2782), else by AAAA and A. */
export async function lookup(ask: Ask, name: string, signal: AbortSignal): Promise<Places> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  try {
    return await (SERVICE.test(name) ? findService(ask, name, either) : findAddresses(ask, name, either));
  } finally {
    stop.abort(new GateError("closed", "gate", `Cannot resolve "${name}": it is answered already`));
  }
}

type Alias = Extract<DnsRecord, { type: "CNAME" }>;
type Service = Extract<DnsRecord, { type: "SRV" }>;

/** What one question led to; `lifetime` in ms. */
interface Chain {
  readonly records: readonly DnsRecord[];
  readonly lifetime: number;
  readonly failure?: GateError;
  /** NXDOMAIN: there is nothing of any type. */
  readonly nameless?: boolean;
}

/** IPv6 first; the dialer takes turns between the families (RFC 8305). */
async function findAddresses(ask: Ask, name: string, signal: AbortSignal): Promise<Places> {
  const families = [
    settled(chase(ask, { name, type: "AAAA" }, signal)),
    settled(chase(ask, { name, type: "A" }, signal)),
  ];
  const first = await Promise.race(families);
  const patience = (family: Promise<Chain>) =>
    first.records.length === 0
      ? family
      : settled(within(RESOLUTION_DELAY, signal, `resolve both families of "${name}"`, () => family));
  const chains = await Promise.all(families.map(patience));
  const places = chains.flatMap(({ records }) => records.slice(0, MOST_PER_FAMILY).flatMap(addressOf));
  const failed = chains.find(({ failure }) => failure !== undefined);
  if (places.length > 0) {
    const lifetimes = chains.filter(({ records }) => records.length > 0).map(({ lifetime }) => lifetime);
    return { value: places, lifetime: Math.min(...lifetimes, failed ? PARTIAL_LIFETIME : Infinity) };
  }
  const nameless = chains.find(({ nameless }) => nameless);
  if (nameless !== undefined) return { value: undefined, lifetime: nameless.lifetime };
  if (failed !== undefined) throw failed.failure;
  return { value: undefined, lifetime: Math.min(...chains.map(({ lifetime }) => lifetime)) };
}

function addressOf(record: DnsRecord): Place[] {
  return record.type === "A" || record.type === "AAAA" ? [{ host: record.address }] : [];
}

/** Only the servers of the best priority that have addresses: a weight cannot say "only when the others fail". */
async function findService(ask: Ask, name: string, signal: AbortSignal): Promise<Places> {
  const { records, lifetime } = await chase(ask, { name, type: "SRV" }, signal);
  const services = records.filter((record) => record.type === "SRV");
  if (services.length === 0) return { value: undefined, lifetime };
  const offered = services.filter(({ target, port }) => target !== "." && port > 0)
    .sort((a, b) => a.priority - b.priority).slice(0, MOST_SERVICES);
  let failure = new GateError(
    "unreachable",
    "upstream",
    `Cannot resolve "${name}": no server of it has an address`,
  );
  for (const [, group] of Map.groupBy(offered, ({ priority }) => priority)) {
    const found = await Promise.all(group.map((service) => findServer(ask, service, signal)));
    for (const answer of found) if (answer instanceof GateError) failure = answer;
    const known = found.flatMap((answer) => answer instanceof GateError ? [] : [answer]);
    const places = known.flatMap(({ value }) => value ?? []).slice(0, MOST_PLACES);
    const whole = known.length === found.length ? Infinity : PARTIAL_LIFETIME;
    if (places.length > 0) {
      return { value: places, lifetime: Math.min(lifetime, whole, ...known.map(({ lifetime }) => lifetime)) };
    }
  }
  throw failure;
}

/** The addresses of one server share its weight; the smallest weight (0) still is one. */
async function findServer(ask: Ask, service: Service, signal: AbortSignal): Promise<Places | GateError> {
  const { target, port, weight } = service;
  try {
    const { value, lifetime } = await findAddresses(ask, target, signal);
    const share = Math.max(1, weight) / (value?.length ?? 1);
    return { value: value?.map(({ host }) => ({ host, port, weight: share })), lifetime };
  } catch (thrown) {
    return asGateError(thrown);
  }
}

/** Asks, and asks again for the alias at whose end the server stopped (RFC 1034 section 3.6.2). */
async function chase(ask: Ask, question: Question, signal: AbortSignal): Promise<Chain> {
  let { name } = question;
  let ttl = LONGEST_TTL;
  let aliases = 0;
  for (;;) {
    const { answers, rcode, negative } = await ask({ name, type: question.type }, signal);
    const asked = name;
    for (let alias; (alias = aliasOf(name, answers)) !== undefined; name = alias.target) {
      if (++aliases > MOST_ALIASES || alias.target === ".") throw astray(question);
      ttl = Math.min(ttl, alias.ttl);
    }
    const no = Math.min(ttl, negative ?? SHORTEST_TTL, LONGEST_NEGATIVE_TTL);
    if (rcode === NXDOMAIN) return { records: [], lifetime: milliseconds(no), nameless: true };
    const records = answers.filter((record) => record.owner === name && record.type === question.type);
    if (records.length > 0) {
      return { records, lifetime: milliseconds(Math.min(ttl, ...records.map((record) => record.ttl))) };
    }
    if (name === asked || negative !== undefined) return { records, lifetime: milliseconds(no) };
  }
}

function aliasOf(name: string, answers: readonly DnsRecord[]): Alias | undefined {
  return answers.find((record): record is Alias => record.type === "CNAME" && record.owner === name);
}

function milliseconds(ttl: number): number {
  return Math.max(SHORTEST_TTL, ttl) * 1000;
}

function astray({ name }: Question): GateError {
  const message =
    `Cannot resolve "${name}": its aliases lead nowhere, or more than ${MOST_ALIASES} steps away`;
  return new GateError("unreachable", "upstream", message);
}

async function settled(chain: Promise<Chain>): Promise<Chain> {
  try {
    return await chain;
  } catch (thrown) {
    return { records: [], lifetime: 0, failure: asGateError(thrown) };
  }
}
