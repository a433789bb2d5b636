/** When the gate made an answer, or got one that did not say when it was made (RFC 9110 6.6.1). */
import { now } from "../../gate/engine/loop.ts";
import { octets } from "./octets.ts";

let second = NaN, line = "", field = octets("");

/** A whole line of a head, without CRLF: made once in a second. */
export function dateLine(): string {
  makeBoth();
  return line;
}

/** The same with CRLF, as octets. */
export function dateField(): Uint8Array {
  makeBoth();
  return field;
}

function makeBoth(): void {
  const current = Math.floor(now / 1000);
  if (current === second) return;
  second = current;
  line = `Date: ${new Date().toUTCString()}`;
  field = octets(`${line}\r\n`);
}
