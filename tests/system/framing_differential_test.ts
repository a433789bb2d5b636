/**
 * Every request of the corpus through ugate, nginx and HAProxy, alone and behind each other, to a backend that remembers:
 * what the gate sends on is what the client meant, never more, and no two of a chain see different requests.
 */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { run } from "../support/child.ts";
import { REFUSED, SENT, SENT_ALONE, WRITTEN } from "../support/framing_differences.ts";
import { latin1 } from "../support/http_codec.ts";
import { connect } from "../support/net.ts";
import { nameOf, PROXIES, type Proxy, type ProxyName, startProxy } from "../support/proxies.ts";
import { ANSWERS, type Recorder, startRecorder } from "../support/recorder.ts";
import { readStrictly, type StrictRequest } from "../support/strict_reader.ts";
import { REQUESTS } from "../protocols/http/corpus/requests.ts";

const ignore = !need("nginx", "haproxy");
/** The first of a chain gives up on half a message before the others would, ms. */
const SHORT = 500, LONG = 3000;
/** What the table was made with. */
const KNOWN = { nginx: "nginx/1.22.", haproxy: "HAProxy version 2.6." };

/** nginx takes it and answers as it was in those days, without a head. */
const OLD = "HTTP/0.9 has no version";

/** Sent behind all cases. */
const LOGGED = "GET /logged";

const first = (at: number) => `GET /first-${at} HTTP/1.1\r\nHost: first\r\n\r\n`;
const LAST = "GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n";

/** What became of one case; requests without the one in front that is always good. */
interface Seen {
  readonly requests: readonly StrictRequest[];
  readonly strange: readonly string[];
  /** Of all responses but interim ones; the names of those requests that the backend answered. */
  readonly statuses: readonly number[];
  readonly answered: readonly string[];
}

async function sendAll(to: Proxy, recorder: Recorder): Promise<Seen[]> {
  const all: Seen[] = [];
  for (const [at, [, text]] of REQUESTS.entries()) {
    await using client = await connect(to.port);
    await client.write(latin1(first(at) + text + LAST));
    const heard = new TextDecoder("latin1").decode(await client.readAll().catch(() => new Uint8Array()));
    const responses = heard.split(/^(?=HTTP\/1\.[01] [2-5]\d\d )/m).filter((response) => response !== "");
    all.push({
      requests: recorder.requests.splice(0).slice(1),
      strange: recorder.strange.splice(0),
      statuses: responses.map((response) => Number(response.slice(9, 12))).slice(1),
      answered: responses.flatMap((response) =>
        new RegExp(`^${ANSWERS}: (.*)\r$`, "im").exec(response)?.[1] ?? []
      )
        .slice(1),
    });
  }
  return all;
}

async function through(name: ProxyName): Promise<Seen[]> {
  await using recorder = await startRecorder();
  await using proxy = await startProxy[name](recorder.port, SHORT);
  return await sendAll(proxy, recorder);
}

const namesOf = (requests: readonly StrictRequest[]) =>
  requests.map(({ method, target }) => nameOf(method, target));
/** nginx counts chunks that it has whole already: how they are framed is not compared. */
const wordsOf = ({ requests }: Seen) =>
  requests.map(({ method, target, content }) => `${nameOf(method, target)} ${content}`);

/** Names of cases by what kind of difference there is. */
function differences(seen: Readonly<Record<ProxyName, readonly Seen[]>>) {
  const found: Record<"refused" | "sent" | "sentAlone" | "written", string[]> = {
    refused: [],
    sent: [],
    sentAlone: [],
    written: [],
  };
  for (const [at, [name]] of REQUESTS.entries()) {
    const [ours, ...others] = PROXIES.map((proxy) => wordsOf(seen[proxy][at]));
    if (others.every((other) => String(other) === String(ours))) continue;
    const counts = others.map(({ length }) => length),
      most = Math.max(...counts),
      least = Math.min(...counts);
    if (ours.length < most) found.refused.push(name);
    else if (ours.length > most) found.sentAlone.push(name);
    else if (ours.length > least) found.sent.push(name);
    else found.written.push(name);
  }
  return found;
}

const isKnown = async (name: keyof typeof KNOWN): Promise<boolean> => {
  const { stdout, stderr } = await run(name, ["-v"]);
  return (stdout + stderr).includes(KNOWN[name]);
};

Deno.test({
  name:
    "of ambiguous requests go on no more than were meant, and where nginx and HAProxy differ the table says why",
  ignore,
  async fn() {
    const [ugate, nginx, haproxy] = await Promise.all(PROXIES.map(through));
    for (const [at, [name, text]] of REQUESTS.entries()) {
      const { requests, strange, statuses } = ugate[at];
      const meant = readStrictly(first(at) + text + LAST).requests.slice(1, 1 + requests.length);
      const told = (list: readonly StrictRequest[]) =>
        list.map(({ method, target, framing, content }) => [nameOf(method, target), framing, content]);
      equal(told(requests), told(meant), name);
      equal(strange.filter((rest) => readStrictly(rest).malformed), [], name);
      ok(
        requests.length <= statuses.length && statuses.length <= requests.length + 1,
        `${name}: ${statuses}`,
      );
      equal(statuses.slice(0, requests.length).filter((status) => status !== 200), [], name);
    }
    const found = differences({ ugate, nginx, haproxy });
    const table = { refused: REFUSED, sent: SENT, sentAlone: SENT_ALONE, written: WRITTEN };
    const known = await isKnown("nginx") && await isKnown("haproxy");
    for (const [kind, reasons] of Object.entries(table)) {
      const listed = reasons.flatMap(({ cases }) => cases), there = found[kind as keyof typeof found];
      equal(there.filter((name) => !listed.includes(name)), [], `${kind}, and not in the table`);
      if (known) equal(listed.filter((name) => !there.includes(name)), [], `in the table, and not ${kind}`);
    }
  },
});

/** The names behind each first request, case by case. */
function byCase(names: readonly string[]): string[][] {
  const cases = REQUESTS.map((): string[] => []);
  let at = -1;
  for (const name of names) {
    const begins = /^GET \/first-(\d+)$/.exec(name);
    if (begins) at = Number(begins[1]);
    else if (name !== LOGGED) cases[at].push(name);
  }
  return cases;
}

/** One request more, and its log has all before it. */
async function logged(proxy: Proxy): Promise<void> {
  await using client = await connect(proxy.port);
  await client.write(LAST.replace("/last", "/logged"));
  await client.readAll();
  const late = performance.now() + LONG;
  while (!proxy.sent().includes(LOGGED) && performance.now() < late) {
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Whether it is what is left of `all` when some are taken out. */
function isWithin(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const each of all) if (each === some[at]) at++;
  return at === some.length;
}

for (
  const [front, behind] of [["ugate", "nginx"], ["ugate", "haproxy"], ["nginx", "ugate"], [
    "haproxy",
    "ugate",
  ]] as const
) {
  Deno.test({
    name:
      `${front} before ${behind}: the backend sees the requests that ${front} believes it sent, and no others`,
    ignore,
    async fn() {
      await using recorder = await startRecorder();
      await using second = await startProxy[behind](recorder.port, LONG);
      await using proxy = await startProxy[front](second.port, SHORT);
      const seen = await sendAll(proxy, recorder);
      await logged(proxy);
      const believed = byCase(proxy.sent());
      for (const [at, [name]] of REQUESTS.entries()) {
        const { requests, strange, statuses, answered } = seen[at], names = namesOf(requests);
        const facts = { name, believed: believed[at], seen: names, answered, statuses };
        const story = JSON.stringify(facts).slice(0, 500);
        ok(isWithin(names, believed[at]), story);
        const named = answered.map((each) => nameOf(...each.split(" ") as [string, string]));
        ok(name === OLD || String(named) === String(names), story);
        const refused = statuses.filter((status) => status >= 400).length;
        ok(believed[at].length - names.length <= refused, story);
        equal(strange.filter((rest) => readStrictly(rest).malformed), [], story);
      }
    },
  });
}
