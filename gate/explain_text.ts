/** An explanation as lines for people. */
import { formatTarget, type Target } from "./address.ts";
import type { Verdict } from "./streams.ts";
import type { ExplainedTermination, Explanation, Step } from "./explanation.ts";

/** What decides, and may be given. */
export type Deciding = "--from" | "--user" | "--identity";

/** What one listener makes of a client; plain data. */
export interface Seen {
  readonly listener: string;
  readonly trusted: boolean;
  /** IP literal */
  readonly from?: string;
  readonly user?: string;
  /** One of its names. */
  readonly identity?: string;
  /** What was not given and decides; `from` and the others are then one example of those who fare as is told here. */
  readonly dependsOn?: readonly Deciding[];
  /** The place of the deny that closes it before a byte is read. */
  readonly barred?: string;
  /** Of the bytes that were given: yes, no, or how many are needed. */
  readonly verdicts?: readonly { readonly protocol: string; readonly verdict: Verdict }[];
  readonly protocol?: string;
  readonly unknown?: string;
  /** What the bytes are that no protocol of the listener knows. */
  readonly speaks?: string;
  readonly fallback?: Target;
  /** Why the protocol asked for nothing. */
  readonly failure?: string;
  readonly explanations: readonly Explanation[];
}

const DECIDES: Readonly<Record<Deciding, string>> = {
  "--from": "the source",
  "--user": "the user",
  "--identity": "who it has proven to be",
};

/** What one listener makes of each kind of client: lines, each ended by a newline. */
export function renderKinds(kinds: readonly Seen[]): string {
  const [{ listener, dependsOn = [] }] = kinds;
  if (dependsOn.length === 0) return kinds.map(renderSeen).join("");
  const what = dependsOn.map((option) => DECIDES[option]).join(" and ");
  return `listener ${listener} depends on ${what}: give ${dependsOn.join(" and ")}\n` +
    kinds.map(renderSeen).join("");
}

function renderSeen(seen: Seen): string {
  const trust = seen.trusted ? ", for this machine only" : "";
  const lines = [`listener ${seen.listener}${trust}, from ${renderClient(seen)}`];
  if (seen.barred !== undefined) lines.push(`  closed before its first byte, by ${seen.barred}`);
  for (const { protocol, verdict } of seen.verdicts ?? []) {
    lines.push(`  ${protocol}: ${renderVerdict(verdict)}`);
  }
  if (seen.unknown !== undefined) {
    const kind = seen.speaks === undefined ? "" : ` (begins as ${seen.speaks}, which it does not list)`;
    lines.push(
      `  ${seen.unknown}${kind}: ${
        seen.fallback ? `to the fallback ${formatTarget(seen.fallback)}` : "closed"
      }`,
    );
  }
  if (seen.failure !== undefined) lines.push(`  ${seen.protocol}: ${seen.failure}`);
  for (const explanation of seen.explanations) lines.push(...renderExplanation(explanation));
  if (seen.explanations.length === 0 && seen.barred === undefined && seen.verdicts === undefined) {
    lines.push("  speaks no protocol that could ask for this");
  }
  return lines.map((line) => `${line}\n`).join("");
}

function renderClient({ from, user, identity, dependsOn = [] }: Seen): string {
  const bySource = dependsOn.includes("--from");
  const source = from === undefined
    ? (bySource ? "a source in no network of these rules" : "a source that is not given (--from)")
    : `${from}${bySource ? ", for example" : ""}`;
  const nobody = dependsOn.includes("--user") ? ", not logged in" : "";
  const unproven = dependsOn.includes("--identity") ? ", nothing proven" : "";
  return `${source}${user === undefined ? nobody : `, user ${user}`}${
    identity === undefined ? unproven : `, proven to be ${identity}`
  }`;
}

function renderVerdict(verdict: Verdict): string {
  if (typeof verdict === "number") return `maybe, ${verdict} bytes are needed`;
  return verdict ? "yes" : "no";
}

function renderExplanation(explanation: Explanation): string[] {
  const { asking, steps, termination, conditions, endpoints, refusal, answer, inside } = explanation;
  return [
    `  ${asking.protocol}${renderAsked(explanation)}`,
    ...(explanation.served ?? []).map((line) => `    ${line}`),
    ...renderSteps(steps),
    ...termination ? [renderTermination(termination)] : [],
    ...conditions ? [`    on condition of ${conditions.join(", and ")}`] : [],
    answer !== undefined
      ? `    answered by the gate itself: ${answer}`
      : refusal !== undefined
      ? `    refused (${refusal.failure}): ${refusal.message}`
      : termination?.enters
      ? "    comes in again at this listener, as what is told apart inside"
      : `    goes to ${endpoints.join(", ")}`,
    ...inside ? renderExplanation(inside) : [],
  ];
}

/** From so many on, rules that say the same one behind the other are one line. */
const MANY = 4;

function renderSteps(steps: readonly Step[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < steps.length;) {
    const { about, place, answer, why } = steps[at];
    const differs = steps.slice(at).findIndex((step) => step.answer !== answer || step.why !== why);
    const count = differs < 0 ? steps.length - at : differs;
    if (count < MANY) lines.push(`    ${about} ${place}: ${answer}, ${why}`);
    else lines.push(`    ${about} ${place} to ${steps[at + count - 1].place}: ${answer}, ${why}`);
    at += count < MANY ? 1 : count;
  }
  return lines;
}

/** A request by its first line or by its method, host and path; else the target. */
function renderAsked({ asking: { target, request }, toProxy }: Explanation): string {
  if (toProxy !== undefined) return ` ${toProxy}, as to a proxy`;
  if (request) return ` ${request.method} ${target?.host ?? ""}${request.path}`;
  return target === undefined ? "" : ` ${formatTarget(target)}`;
}

function renderTermination({ certificate, names, expires }: ExplainedTermination): string {
  const whose = names.length > 0 ? names.join(", ") : "addresses alone";
  const end = expires === undefined ? "once it is issued" : `until ${expires.slice(0, 10)}`;
  return `    TLS ends here, with ${certificate} (${whose}; ${end})`;
}
