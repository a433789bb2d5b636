/** What `look` and `next` have in common on raw and on layered streams. */
import type { Phase } from "../streams.ts";
import { atLimit, GateError, type Side } from "../errors.ts";

/** The most that `look` and `next` can be asked for, bytes. */
export const LOOK_MAX = 65536;

/** How many bytes a parser that wants `asked` is to be shown next; throws where they cannot come any more. */
export function needed(asked: number, size: number, phase: Phase, side: Side): number {
  if (phase === "ended") {
    throw new GateError("closed", side, "Cannot read a whole message: the peer ended in the middle");
  }
  if (phase === "late") {
    const reason = new GateError("timeout", side, "Cannot read a whole message: the peer is too slow");
    throw atLimit("sniffTimeout", reason);
  }
  const need = Math.max(asked, size + 1);
  if (need <= LOOK_MAX) return need;
  throw new GateError("malformed", side, `Cannot read a message: longer than ${LOOK_MAX} bytes`);
}
