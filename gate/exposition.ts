/** The text format of Prometheus, version 0.0.4: families of samples, each with its help and type. */
import { DURATIONS, type Durations } from "./journal.ts";

/** A value and the values of its labels, in their order. */
export type Sample = readonly [value: number, ...labels: string[]];

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly string[];
}

export const familyText = (family: Family, samples: readonly Sample[]): string =>
  headText(family) + samples.map(([value, ...values]) => {
    const pairs = family.labels.map((name, at) => [name, values[at]] as const);
    return line(family.name, pairs, value);
  }).join("");

/** A histogram in seconds. */
export function histogramText(family: Family, { counts, sum }: Durations): string {
  let text = headText(family), total = 0;
  for (const [bucket, count] of counts.entries()) {
    total += count; // a bucket counts all that took at most so long
    const bound = bucket < DURATIONS.length ? String(DURATIONS[bucket] / 1000) : "+Inf";
    text += line(`${family.name}_bucket`, [["le", bound]], total);
  }
  return text + line(`${family.name}_sum`, [], sum / 1000) + line(`${family.name}_count`, [], total);
}

const headText = ({ name, type, help }: Family): string =>
  `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n`;

function line(name: string, labels: readonly (readonly [string, string])[], value: number): string {
  const pairs = labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(",");
  return `${name}${pairs && `{${pairs}}`} ${numberText(value)}\n`;
}

const escaped = (text: string): string =>
  text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');

const numberText = (value: number): string =>
  value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
