/**
 * `deno task bench [--quick] [--rounds N] [--seconds N] [--only TEXT] [--who NAMES] [--json FILE] [--readme]`: the
 * direct line, HAProxy, nginx, Caddy and ugate side by side in one run, taken in turn round by round; medians, and ratios,
 * for absolute numbers tell of the machine. `--only` picks measurements by a part of their name, `--who` servers; what
 * cannot be measured here is left out and told. `--json` keeps every sample, `--readme` puts the table into README.md.
 */
import { parseArgs } from "node:util";
import { type Contender, direct, start } from "./bench/contenders.ts";
import { httpMeasurements, httpServers, underRequests } from "./bench/http/run.ts";
import { HTTP_SERVERS } from "./bench/http/servers.ts";
import { SSH_NAMES, SSH_OTHERS, sshMeasurements, underSsh } from "./bench/ssh/run.ts";
import { isolate, surroundings } from "./bench/isolate.ts";
import { measure, type Measurement, MEASUREMENTS } from "./bench/measure.ts";
import { IDLE_CONNECTIONS, idleConnections } from "./bench/process.ts";
import { withTable } from "./bench/readme.ts";
import { AT_REST, type AtRest } from "./bench/rest.ts";
import { hasNginxStream, NGINX_PACKAGE, type Server, SERVERS } from "./bench/servers.ts";
import { HTTP_OTHERS, Results, type Row, table } from "./bench/table.ts";
import { startUpstream } from "./bench/upstream.ts";
import { install } from "./clients.ts";

const README = new URL("../README.md", import.meta.url);

/** Seconds of connections through each door before anything counts. */
const WARM_UP = 0.5;
/** Rounds of what is measured at rest: it varies less. */
const ROUNDS_AT_REST = 3;

/** Throughput, connections, their CPU and their latency: everyone stands, and is measured in turn. */
async function underLoad(
  list: readonly Measurement[],
  servers: readonly Server[],
  results: Results,
  { rounds, seconds }: Options,
): Promise<void> {
  await using upstream = await startUpstream();
  await using stack = new AsyncDisposableStack();
  const contenders: Contender[] = [direct(upstream)];
  for (const server of servers) {
    await results.attempt("everything under load", server.name, async () => {
      contenders.push(stack.use(await start(server, upstream)));
      return [];
    });
  }
  progress("warming up");
  for (const who of contenders) {
    // Code is compiled for its first connections, memory taken: that is not what a gateway does all day.
    for (const what of MEASUREMENTS.filter(({ tells }) => tells === "connections")) {
      await results.attempt(
        what.name,
        who.name,
        async () => (await measure(what, who, upstream, WARM_UP), []),
      );
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const what of list) {
      progress(`round ${round} of ${rounds}: ${what.name}`);
      for (const who of contenders) {
        await results.attempt(what.name, who.name, () => measure(what, who, upstream, seconds));
      }
    }
  }
}

/** Start-up and memory: nobody else stands, and every process is a fresh one. */
async function atRest(
  list: readonly AtRest[],
  servers: readonly Server[],
  results: Results,
  rounds: number,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const what of list) {
      for (const server of servers) {
        progress(`round ${round} of ${rounds}: ${what.name} of ${server.name}`);
        await results.attempt(what.name, server.name, () => what.measure(server));
      }
    }
  }
}

function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: string;
  readonly who: readonly string[];
  readonly json?: string;
  readonly readme: boolean;
}

const names = [...new Set([...[...SERVERS, ...HTTP_SERVERS].map(({ name }) => name), ...SSH_NAMES])];

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string", default: "" },
      who: { type: "string", default: names.join(",") },
      json: { type: "string" },
      readme: { type: "boolean", default: false },
    },
  });
  const number = (name: "rounds" | "seconds", quick: number, thorough: number) => {
    const value = values[name] === undefined ? (values.quick ? quick : thorough) : Number(values[name]);
    if (value > 0 && value <= 60) return value;
    throw new Error(`Cannot measure: --${name} is from 0 to 60, got ${JSON.stringify(values[name])}`);
  };
  const who = values.who.split(",");
  const stranger = who.find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Error(`Cannot measure ${stranger}: there are ${names.join(", ")}`);
  const { only, json, readme } = values;
  return { rounds: number("rounds", 1, 5), seconds: number("seconds", 0.5, 2), only, who, json, readme };
}

/** Those of the asked servers that are here; the others are told. */
function present(who: readonly string[], results: Results): Server[] {
  return SERVERS.filter((server) => {
    if (!who.includes(server.name)) return false;
    const why = server.absent();
    if (why !== undefined) results.leftOut.set(server.name, why);
    return why === undefined;
  });
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args), results = new Results();
  const servers = present(options.who, results);
  const wanted = <T extends { name: string }>(list: readonly T[]) =>
    list.filter(({ name }) => name.includes(options.only));
  const loads = wanted(MEASUREMENTS), rests = wanted(AT_REST);
  if (loads.length > 0) {
    await underLoad(
      loads,
      servers.filter(({ restsOnly }) => !restsOnly),
      results,
      options,
    );
  }
  await atRest(rests, servers, results, Math.min(options.rounds, ROUNDS_AT_REST));
  const requests = new Results(), asked = httpMeasurements(options.only);
  if (asked.length > 0) {
    await underRequests(asked, httpServers(options.who, requests), requests, { ...options, progress });
  }
  const ssh = new Results(), secured = sshMeasurements(options.only);
  if (secured.length > 0) await underSsh(secured, ssh, { ...options, progress });
  progress("");
  const { rows } = results;
  const leftOut = new Map([...results.leftOut, ...requests.leftOut, ...ssh.leftOut]);
  if (rows.length > 0) console.log(table(rows).join("\n"));
  if (requests.rows.length > 0) console.log(table(requests.rows, HTTP_OTHERS).join("\n"));
  if (ssh.rows.length > 0) console.log(table(ssh.rows, SSH_OTHERS).join("\n"));
  for (const [what, why] of leftOut) console.log(`Left out: ${what}: ${why}`);
  const count = idleConnections(), limited = count < IDLE_CONNECTIONS ? ", as descriptors allow" : "";
  const closing = `Medians of ${options.rounds} rounds of ${options.seconds} s, ${count} idle connections` +
    `${limited}; ${await surroundings()}.`;
  console.log(closing);
  const all = { rows, requests: requests.rows, ssh: ssh.rows };
  const record = { closing, options, ...all, leftOut: Object.fromEntries(leftOut) };
  if (options.json) await Deno.writeTextFile(options.json, `${JSON.stringify(record, undefined, 2)}\n`);
  if (options.readme) await writeTables(all, closing);
}

/** Those of which something was measured. */
async function writeTables(
  { rows, requests, ssh }: Record<"rows" | "requests" | "ssh", readonly Row[]>,
  closing: string,
): Promise<void> {
  let text = await Deno.readTextFile(README);
  if (rows.length > 0) text = withTable(text, rows, closing);
  if (requests.length > 0) text = withTable(text, requests, closing, "http", HTTP_OTHERS);
  if (ssh.length > 0) text = withTable(text, ssh, closing, "ssh", SSH_OTHERS);
  await Deno.writeTextFile(README, text);
}

if (import.meta.main) {
  // Before the network is left behind.
  await install(["haproxy", "caddy", "wrk", "ssh", "sshd"]);
  if (!hasNginxStream()) await install([NGINX_PACKAGE]);
  const code = await isolate(import.meta.filename!, Deno.args);
  if (code === undefined) await main(Deno.args);
  else Deno.exit(code);
}
