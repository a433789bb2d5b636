/** What metrics are made of: plain data, and the series of what is counted by listener, those of nothing yet too. */
import { readUsage, type Usage } from "./engine/usage.ts";
import type { Sample } from "./exposition.ts";
import type { EndpointState, Population, Status } from "./operations.ts";
import type { ReloadHistory } from "./reloads.ts";
import { type Facts, statusOf } from "./status.ts";
import type { Totals } from "./tally.ts";

export interface Measured {
  readonly status: Status;
  /** Those of the status, each with what its route matches by in place of where that stands. */
  readonly endpoints: readonly EndpointState[];
  readonly totals: Totals;
  readonly reloads: ReloadHistory;
  /** Of certificates. */
  readonly orders: Facts["orders"];
  readonly linesLost: number;
  readonly population: Population;
  /** What metrics call the routes whose requests are handled one by one. */
  readonly requestRoutes: readonly string[];
  /** Names of listeners that ask for a user. */
  readonly askingUsers: readonly string[];
  readonly usage: Usage;
}

export function measure(facts: Facts): Measured {
  const { tally, reloads, orders, linesLost, population, snapshot } = facts;
  const status = statusOf(facts), labels = new Map(snapshot.routes.map(({ place, label }) => [place, label]));
  const asking = Object.values(snapshot.listeners).filter(({ asksUser }) => asksUser);
  return {
    status,
    endpoints: status.endpoints.map((state) => ({ ...state, route: labels.get(state.route)! })),
    totals: tally.status(),
    reloads,
    orders,
    linesLost,
    population,
    requestRoutes: snapshot.routes.filter(({ http }) => http).map(({ label }) => label),
    askingUsers: asking.map(({ name }) => name),
    usage: readUsage(),
  };
}

/** Every protocol of a listener has its `ok` from the start, as 0. */
export function connectionSamples({ status, totals }: Measured): Sample[] {
  const counted = totals.ended.map(({ listener, protocol, outcome, side = "", count }): Sample => [
    count,
    listener,
    protocol,
    outcome,
    side,
  ]);
  const expected = status.listeners.flatMap(({ listener, protocols }) =>
    protocols.map((protocol): Sample => [0, listener, protocol, "ok", ""])
  );
  return [...counted, ...expected];
}

/** Listeners that are gone keep what they counted: a counter never goes down. */
export function byteSamples({ status, totals }: Measured): Sample[] {
  const names = new Set([...status.listeners.map(({ listener }) => listener), ...Object.keys(totals.bytes)]);
  return [...names].flatMap((listener): Sample[] => {
    const { up, down } = totals.bytes[listener] ?? { up: 0, down: 0 };
    return [[up, listener, "in"], [down, listener, "out"]];
  });
}

export function authSamples({ status, totals, askingUsers }: Measured): Sample[] {
  const counted = totals.authFailures.map((
    { listener, protocol, count },
  ): Sample => [count, listener, protocol]);
  const expected = status.listeners.filter(({ listener }) => askingUsers.includes(listener)).flatMap((
    { listener, protocols },
  ) => protocols.map((protocol): Sample => [0, listener, protocol]));
  return [...counted, ...expected];
}
