/** Live connections as rows of a table. */
import type { LiveConnection } from "../operations.ts";
import { bytesText, spanText } from "../amounts.ts";
import type { ConnectionRates } from "./rates.ts";
import type { Column } from "./table.ts";

export interface Row {
  readonly connection: LiveConnection;
  readonly rates?: ConnectionRates;
}

export const SORTS = ["up", "down", "age", "rate"] as const;
export type Sort = typeof SORTS[number];

/** The most first: bytes up, bytes down, the oldest, or bytes per second both ways. */
export function sorted(rows: readonly Row[], by: Sort): Row[] {
  const weight = ({ connection: { up, down, began }, rates }: Row): number => {
    switch (by) {
      case "up":
        return up;
      case "down":
        return down;
      case "age":
        return -began;
      case "rate":
        return rates ? rates.up + rates.down : 0;
    }
  };
  return [...rows].sort((a, b) => weight(b) - weight(a));
}

/** `rates`: with bytes per second. `now`: ms since the epoch. */
export function connectionColumns(rates: boolean, now: number): Column<Row>[] {
  const of = (cell: (connection: LiveConnection) => string | number | undefined) => ({ connection }: Row) =>
    String(cell(connection) ?? "");
  const rate = (way: "up" | "down") => ({ rates }: Row) => rates ? bytesText(rates[way]) : "";
  return [
    { title: "ID", cell: of(({ id }) => id), right: true },
    { title: "AGE", cell: of(({ began }) => spanText(now - began)), right: true },
    { title: "LISTENER", cell: of(({ listener }) => listener), least: 8, spare: 2 },
    { title: "PROTOCOL", cell: of(({ protocol }) => protocol) },
    { title: "STAGE", cell: of(({ stage }) => stage), spare: 4 },
    { title: "PEER", cell: of(({ peer }) => peer), least: 17 },
    { title: "USER", cell: of(({ user }) => user), least: 8, spare: 3 },
    { title: "NAME", cell: of(nameBeside), least: 16, spare: 5 },
    { title: "TARGET", cell: of(({ target }) => target), least: 17 },
    { title: "ENDPOINT", cell: of(({ endpoint }) => endpoint), least: 17, spare: 6 },
    { title: "ROUTE", cell: of(({ route }) => route?.replace(/^.* /, "")), spare: 7 },
    { title: "IN", cell: of(({ parent }) => parent), right: true, spare: 8 },
    { title: "UP", cell: of(({ up }) => bytesText(up)), right: true, spare: rates ? 1 : undefined },
    { title: "DOWN", cell: of(({ down }) => bytesText(down)), right: true, spare: rates ? 1 : undefined },
    ...rates
      ? [
        { title: "UP/S", cell: rate("up"), right: true },
        { title: "DOWN/S", cell: rate("down"), right: true },
      ]
      : [],
  ];
}

/** The name in the ClientHello, where the target does not say it. */
function nameBeside({ serverName, target }: LiveConnection): string | undefined {
  return serverName !== undefined && target?.startsWith(`${serverName}:`) ? undefined : serverName;
}
