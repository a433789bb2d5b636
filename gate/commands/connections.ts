/** `ugate connections`: what goes through the gate now. */
import type { LiveConnection } from "../operations.ts";
import { clockText, counted } from "../amounts.ts";
import { connectionColumns, type Row, type Sort, sorted } from "./connection_rows.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { type Connections, isConnections } from "./gate_answers.ts";
import { type Before, connectionRates } from "./rates.ts";
import { outputSize, type Size } from "./screen.ts";
import { table } from "./table.ts";
import { visible, visibleJson } from "../visible.ts";
import { sampleTwice, watch } from "./watch.ts";

export interface ConnectionsOptions extends GateOptions {
  readonly listener?: string;
  readonly most: number;
  readonly sort?: Sort;
  /** Seconds from one sample to the next; absent: once. */
  readonly watch?: number;
}

/** Of how many connections, the newest, those are chosen that are shown. */
const MOST_CHOSEN_FROM = 5000;
/** ms between the two samples that rates need. */
const RATE_TIME = 1000;

/** Prints a table, or data; the exit code. */
export async function connections(options: ConnectionsOptions): Promise<number> {
  const gate = await findGate(options);
  const chosenFrom = options.listener === undefined && options.sort === undefined
    ? options.most
    : Math.max(options.most, MOST_CHOSEN_FROM);
  const path = `/connections?most=${chosenFrom}`;
  const take = (signal?: AbortSignal) =>
    gate.json({ path, signal, quiet: signal !== undefined }, isConnections);
  if (options.watch !== undefined) {
    const show = (sample: Connections, before: Before<Connections> | undefined, size: Size) =>
      options.json
        ? [visibleJson(data(sample, before, options))]
        : frame(gate.place, sample, before, options, size);
    await watch({ interval: options.watch * 1000, take, show });
    return 0;
  }
  const { sample, before } = options.sort === "rate"
    ? await sampleTwice(take, RATE_TIME)
    : { sample: await take(), before: undefined };
  if (options.json) console.log(visibleJson(data(sample, before, options), 2));
  else once(sample, before, options);
  return 0;
}

function once(
  sample: Connections,
  before: Before<Connections> | undefined,
  options: ConnectionsOptions,
): void {
  const rows = rowsOf(sample, before, options);
  if (rows.length > 0) console.log(listing(rows, before !== undefined, outputSize().columns).join("\n"));
  if (rows.length === 0 || rows.length < sample.total) console.error(missing(rows.length, sample, options));
}

/** For the end of a table that does not show everything. */
function missing(
  shown: number,
  { total, connections }: Connections,
  { listener, sort }: ConnectionsOptions,
): string {
  if (total === 0) return "no connections";
  const where = listener === undefined ? "" : ` of listener ${visible(listener)}`;
  const among = (listener ?? sort) !== undefined && connections.length < total
    ? `, chosen from the ${connections.length} newest`
    : "";
  return `${shown === 0 ? "none" : shown}${where} shown of ${counted(total, "connection")}${among}`;
}

function frame(
  place: string,
  sample: Connections,
  before: Before<Connections> | undefined,
  options: ConnectionsOptions,
  { columns, rows: height }: Size,
): string[] {
  const rows = rowsOf(sample, before, options);
  const head = `${counted(sample.total, "connection")}, gate at ${place}, ${
    clockText(new Date())
  }, every ${options.watch} s`;
  const lines = [columns === Infinity ? head : `${head} (q ends)`];
  if (rows.length > 0) lines.push(...listing(rows, true, columns));
  if (rows.length < sample.total || lines.length > height) {
    const shown = Math.min(rows.length, height - 3);
    lines.splice(height - 1, Infinity, missing(shown, sample, options));
  }
  return lines;
}

/** What `ugate connections` prints of these. */
export function connectionLines({ total, connections }: Connections, width: number): string[] {
  if (total === 0) return ["no connections"];
  const rows = connections.map((connection) => ({ connection }));
  const left = total - rows.length;
  return [
    ...listing(rows, false, width),
    ...left > 0 ? [`${rows.length} of ${counted(total, "connection")}`] : [],
  ];
}

function listing(rows: readonly Row[], rates: boolean, width: number): string[] {
  return table(connectionColumns(rates, Date.now()), rows, width);
}

function data(sample: Connections, before: Before<Connections> | undefined, options: ConnectionsOptions) {
  const connections = rowsOf(sample, before, options).map(({ connection, rates }) =>
    rates ? { ...connection, rates } : connection
  );
  return { total: sample.total, connections };
}

/** The ones that were asked for, in their order. */
function rowsOf(
  { connections }: Connections,
  before: Before<Connections> | undefined,
  { listener, sort, most }: ConnectionsOptions,
): Row[] {
  const wanted = (one: LiveConnection) => listener === undefined || one.listener === listener;
  const rates = before &&
    connectionRates(connections, { sample: before.sample.connections, seconds: before.seconds });
  const rows = connections.filter(wanted).map((connection) => ({
    connection,
    rates: rates?.get(connection.id),
  }));
  return (sort ? sorted(rows, sort) : rows).slice(0, most);
}
