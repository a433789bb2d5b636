/** What a session shows, in lines: texts from outside move no cursor there. */
import { bytesText, clockText, counted, shortText, spanText } from "../../../gate/amounts.ts";
import type { NodeStatus, Visit } from "../../../gate/operations.ts";
import { columnsOf, cut, visible } from "../../../gate/visible.ts";
import { type Here, wayTo } from "./ways.ts";

/** Names that are shown; a connection may have more. */
export const MOST_NAMES = 40;
/** Columns of what has no bound of its own; of a path where there is little room. */
const LONGEST_PATH = 200, LONGEST_NAME = 100, LEAST_PATH = 16;

/** Who it is: a key's ID fills most of a line. */
export function whoLines({ identity, peer }: NodeStatus): string[] {
  return [`ugate knows you as ${visible(identity)}`, `You came from ${visible(peer)}`];
}

/** The ways to each name, so many at most; or how to get one. */
export function nameLines(
  { names, proof }: Pick<NodeStatus, "names" | "proof">,
  here: Here,
  most = MOST_NAMES,
): string[] {
  if (names.length === 0 && proof === "token") {
    return [
      "Nothing can be reached through this connection: a token gives no names.",
      "Who logs in with a key, or a certificate, can offer what it has under its names.",
    ];
  }
  if (names.length === 0) {
    const port = here.port === 22 ? "" : `-p ${here.port} `;
    return [
      "Nothing is reached through this connection so far. This offers what listens on port 3000:",
      `  ssh ${port}-R 80:localhost:3000 ${here.host}`,
    ];
  }
  const ways = names.slice(0, most).map((name) => wayTo(name, here));
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

/**
 * `14:03:12  203.0.113.7  pi.mesh.example.com:80  GET /  200  12ms  1.2KiB`. Where that is wider than `columns` the path
 * is cut, and then who came and the name are left out: what became of it stays.
 */
export function visitLine(visit: Visit, columns = Infinity): string {
  const { at, name, from, what, outcome, duration, bytes } = visit;
  const end = outcome === undefined ? ["begins"] : [
    outcome,
    ...duration === undefined ? [] : [duration < 60_000 ? shortText(duration) : spanText(duration)],
    ...bytes === undefined ? [] : [bytesText(bytes)],
  ];
  const path = told(what), where = [padded(visible(from), 15), cut(visible(name), LONGEST_NAME)];
  for (;; where.shift()) {
    const begin = [clockText(new Date(at)), ...where];
    const room = columns - columnsOf([...begin, "", ...end].join(GAP));
    if (room >= Math.min(LEAST_PATH, columnsOf(path)) || where.length === 0) {
      return [...begin, cut(path, Math.max(room, 1)), ...end].join(GAP);
    }
  }
}

const GAP = "  ";

const told = (what: string): string => what === "" ? "-" : cut(visible(what), LONGEST_PATH);

const padded = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - columnsOf(text)));
