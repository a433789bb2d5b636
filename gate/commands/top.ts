/** `ugate top`: what each listener does in a second. */
import type { ListenerState, Status } from "../operations.ts";
import { bytesText, clockText, countText, spanText } from "../amounts.ts";
import { findGate, type GateOptions } from "./find_gate.ts";
import { isStatus } from "./gate_answers.ts";
import { type Before, type ListenerRates, listenerRates } from "./rates.ts";
import { outputSize, type Size } from "./screen.ts";
import { type Column, table } from "./table.ts";
import { visible, visibleJson } from "../visible.ts";
import { sampleTwice, watch } from "./watch.ts";

export interface TopOptions extends GateOptions {
  readonly once?: boolean;
}

interface Row extends Pick<ListenerState, "listener" | "active"> {
  readonly rates: ListenerRates;
}

/** ms */
const INTERVAL = 1000;
const NOTHING: ListenerRates = { opened: 0, failed: 0, up: 0, down: 0 };

/** Once, as data, or to what is no terminal: one sample of a second. The exit code. */
export async function top(options: TopOptions): Promise<number> {
  const gate = await findGate(options);
  const take = (signal?: AbortSignal) =>
    gate.json({ path: "/status", signal, quiet: signal !== undefined }, isStatus);
  const show = (status: Status, before: Before<Status> | undefined, { columns }: Size) =>
    topLines(status, before, columns, gate.place);
  if (!options.once && !options.json && Deno.stdout.isTerminal()) {
    await watch({ interval: INTERVAL, take, show });
    return 0;
  }
  const { sample, before } = await sampleTwice(take, INTERVAL);
  if (options.json) console.log(visibleJson(data(sample, before), 2));
  else console.log(show(sample, before, outputSize()).join("\n"));
  return 0;
}

/** Without a sample before, all rates are 0. */
export function topLines(
  status: Status,
  before: Before<Status> | undefined,
  width: number,
  place: string,
): string[] {
  const now = new Date();
  const up = spanText(now.getTime() - Date.parse(status.startedAt));
  const rows = rowsOf(status, before);
  return [
    `ugate ${visible(status.version)} at ${place}, up ${up}, ${clockText(now)}${
      status.draining ? ", DRAINING" : ""
    }`,
    troubles(status, before),
    "",
    ...table(COLUMNS, [...rows, total(rows)], width),
  ];
}

const COLUMNS: Column<Row>[] = [
  { title: "LISTENER", cell: ({ listener }) => listener, least: 8 },
  { title: "ACTIVE", cell: ({ active }) => countText(active), right: true },
  { title: "CONNS/S", cell: ({ rates }) => countText(rates.opened), right: true },
  { title: "ERRORS/S", cell: ({ rates }) => countText(rates.failed), right: true },
  { title: "UP/S", cell: ({ rates }) => bytesText(rates.up), right: true },
  { title: "DOWN/S", cell: ({ rates }) => bytesText(rates.down), right: true },
];

function rowsOf(status: Status, before: Before<Status> | undefined): Row[] {
  const rates = before && listenerRates(status, before);
  return status.listeners.map(({ listener, active }) => ({
    listener,
    active,
    rates: rates?.get(listener) ?? NOTHING,
  }));
}

function total(rows: readonly Row[]): Row {
  const sum = (value: (row: Row) => number) => rows.reduce((all, row) => all + value(row), 0);
  return {
    listener: "(all)",
    active: sum(({ active }) => active),
    rates: {
      opened: sum(({ rates }) => rates.opened),
      failed: sum(({ rates }) => rates.failed),
      up: sum(({ rates }) => rates.up),
      down: sum(({ rates }) => rates.down),
    },
  };
}

/** What should be none: since the sample before, and in all. */
function troubles(status: Status, before: Before<Status> | undefined): string {
  const hitsOf = ({ limitHits }: Status) => Object.values(limitHits).reduce((sum, count) => sum + count, 0);
  const leftOut = status.endpoints.filter(({ usable }) => !usable).length;
  const lately = (now: number, then: number | undefined) =>
    `${countText(now)} (+${countText(Math.max(0, now - (then ?? now)))})`;
  return [
    `limits hit ${lately(hitsOf(status), before && hitsOf(before.sample))}`,
    `failed logins ${lately(status.authFailures, before?.sample.authFailures)}`,
    `endpoints left out ${leftOut} of ${status.endpoints.length}`,
  ].join(", ");
}

function data(status: Status, { sample, seconds }: Before<Status>) {
  const rows = rowsOf(status, { sample, seconds });
  return { at: new Date().toISOString(), seconds, listeners: rows, all: total(rows).rates };
}
