/** The text format of Prometheus, version 0.0.4: families of samples, each with its help and type. */
import { DURATIONS, type Durations } from "./durations.ts";

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

/** Durations and the values of their labels. */
export type Series = readonly [durations: Durations, ...labels: string[]];

/** A histogram in seconds. */
export const histogramText = (family: Family, series: readonly Series[]): string =>
  headText(family) + series.map((one) => seriesText(family, one)).join("");

function seriesText({ name, labels }: Family, [{ counts, sum }, ...values]: Series): string {
  const own = labels.map((label, at) => [label, values[at]] as const);
  let text = "", total = 0;
  for (const [bucket, count] of counts.entries()) {
    total += count; // a bucket counts all that took at most so long
    const bound = bucket < DURATIONS.length ? String(DURATIONS[bucket] / 1000) : "+Inf";
    text += line(`${name}_bucket`, [...own, ["le", bound]], total);
  }
  return text + line(`${name}_sum`, own, sum / 1000) + line(`${name}_count`, own, total);
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
