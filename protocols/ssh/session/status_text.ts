/** What a session shows, in lines: texts from outside move no cursor there. */
import { bytesText, clockText, counted, shortText, spanText } from "../../../gate/amounts.ts";
import type { NodeStatus, Visit } from "../../../gate/operations.ts";
import { columnsOf, cut, visible } from "../../../gate/visible.ts";
import { type Here, wayTo } from "./ways.ts";

/** Names that are shown; a connection may have more. */
const MOST_NAMES = 40;
/** Columns of what has no bound of its own. */
const LONGEST_PATH = 200, LONGEST_NAME = 100;

/** Who it is, and what it is reached by. */
export function headLines(node: NodeStatus, here: Here): string[] {
  const who = `${visible(node.identity)} at ${visible(node.peer)}`;
  return ["ugate knows you as " + who, "", ...nameLines(node, here)];
}

/** The ways to each name; or how to get one. */
export function nameLines({ names }: Pick<NodeStatus, "names">, here: Here): string[] {
  if (names.length === 0) {
    const port = here.port === 22 ? "" : `-p ${here.port} `;
    return [
      "Nothing is reached through this connection so far. This offers what listens on port 3000:",
      `  ssh ${port}-R 80:localhost:3000 ${here.host}`,
    ];
  }
  const ways = names.slice(0, MOST_NAMES).map((name) => wayTo(name, here));
  const width = Math.max(...ways.map(({ kind }) => kind.length));
  const lines = ways.map(({ kind, how }) => `  ${kind.padEnd(width)}  ${visible(how)}`);
  const more = names.length - ways.length;
  return ["You are reached by", ...lines, ...more > 0 ? [`  and by ${counted(more, "other name")}`] : []];
}

/** What it carried: `now` in ms since the epoch. */
export function sumLine({ streams, served, up, down, since, roundTrip }: NodeStatus, now: number): string {
  const away = roundTrip === undefined ? "" : `, ${shortText(Math.max(0, roundTrip))} away`;
  return `${streams} open, ${served} in all; ${bytesText(up)} from you, ${bytesText(down)} to you; ` +
    `connected for ${spanText(now - since)}${away}`;
}

/** `14:03:12  203.0.113.7  pi.mesh.example.com:80  GET /  200  12ms  1.2KiB` */
export function visitLine({ at, name, from, what, outcome, duration, bytes }: Visit): string {
  const end = outcome === undefined ? ["begins"] : [
    outcome,
    ...duration === undefined ? [] : [duration < 60_000 ? shortText(duration) : spanText(duration)],
    ...bytes === undefined ? [] : [bytesText(bytes)],
  ];
  const columns = [padded(visible(from), 15), cut(visible(name), LONGEST_NAME), told(what)];
  return [clockText(new Date(at)), ...columns, ...end].join("  ");
}

const told = (what: string): string => what === "" ? "-" : cut(visible(what), LONGEST_PATH);

const padded = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - columnsOf(text)));
