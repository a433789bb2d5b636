/** What a session shows upon a screen, in lines from the top: on a small one, what is most needed. */
import type { NodeStatus, Visit } from "../../../gate/operations.ts";
import { MOST_NAMES, nameLines, sumLine, visitLine, whoLines } from "./status_text.ts";
import type { Here } from "./ways.ts";

/** Rows from which on there are blank lines between the parts. */
const ROOMY = 16;
/** Visits that have a place before more names do. */
const LEAST_VISITS = 3;
const END = "(q, Ctrl-C or Ctrl-D ends this)";

export interface Shown {
  readonly node: NodeStatus;
  readonly here: Here;
  /** What was refused, a sentence each. */
  readonly notes: readonly string[];
  readonly visits: readonly Visit[];
}

/** `now` in ms since the epoch. The last row is the cursor's. */
export function screenLines(
  { node, here, notes, visits }: Shown,
  { columns, rows }: { readonly columns: number; readonly rows: number },
  now: number,
): string[] {
  const gap = rows >= ROOMY ? [""] : [];
  const part = (lines: readonly string[]) => lines.length > 0 ? [...gap, ...lines] : [];
  const who = whoLines(node), sum = part([sumLine(node, now), ...notes]), end = part([END]);
  const left = rows - 1 - who.length - sum.length - end.length;
  const aside = Math.min(visits.length, LEAST_VISITS) + 2 * gap.length + 2; // a title, and how many more there are
  const names = part(nameLines(node, here, Math.min(Math.max(left - aside, 1), MOST_NAMES)));
  const room = left - names.length - gap.length;
  const last = room > 0 ? visits.slice(-room) : [];
  return [...who, ...names, ...sum, ...part(last.map((visit) => visitLine(visit, columns))), ...end];
}
