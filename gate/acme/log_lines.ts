/** What the log says of the certificates of an authority. */
import { asGateError, causeChain } from "../errors.ts";
import type { Message } from "../log.ts";
import type { Issued } from "./issued.ts";

/** `again`: the name had one before. */
export function issuedLine({ name, directory, facts }: Issued, again: boolean): Message {
  const act = again ? "renewed" : "issued", by = new URL(directory).host;
  return line("info", name, `certificate of ${name} ${act} by ${by}, until ${timeOf(facts.notAfter)}`);
}

/** What failed, when the authority is asked again (`pause`: ms until then), and what serves the name meanwhile. */
export function failedLine(
  { name, failure, issued }: { name: string; failure: string | undefined; issued: Issued | undefined },
  pause: number,
): Message {
  const again = pause === 0 ? "another challenge is tried" : `again in ${Math.ceil(pause / 60_000)} min`;
  const meanwhile = issued ? `; the one until ${timeOf(issued.facts.notAfter)} goes on` : "";
  return line("warn", name, `Cannot get a certificate of ${name}: ${failure}; ${again}${meanwhile}`);
}

/** What was on disk is damaged, of another version, or not for the name. */
export const uselessLine = (name: string, thrown: unknown): Message =>
  line("warn", name, `the certificate of ${name} that was kept is of no use: ${causeChain(thrown)}`);

/** It serves, and is not on disk. */
export const unkeptLine = ({ name }: Issued, thrown: unknown): Message =>
  line("warn", name, `${asGateError(thrown).message}; a restart will order it again`);

const timeOf = (ms: number): string => new Date(ms).toISOString();

const line = (level: "info" | "warn", certificate: string, text: string): Message => ({
  level,
  event: "certificate",
  text,
  fields: { certificate },
});
