/** Reads the text format of Prometheus 0.0.4, strictly: what it does not allow throws. */

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;

export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, Family>();
  for (const block of text.slice(0, -1).split(/\n(?=# HELP )/)) {
    const family = parseFamily(block.split("\n"));
    if (families.has(family.name)) throw new Error(`${family.name} comes twice`);
    families.set(family.name, family);
  }
  return families;
}

function parseFamily([helpLine, typeLine, ...lines]: string[]): Family {
  const help = HELP.exec(helpLine), type = TYPE.exec(typeLine ?? "");
  if (!help || !type || help[1] !== type[1]) throw new Error(`no HELP and TYPE: ${helpLine} / ${typeLine}`);
  const name = help[1], seen = new Set<string>();
  const samples = lines.map((line) => {
    const sample = parseSample(line);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) throw new Error(`a sample comes twice: ${line}`);
    seen.add(key);
    return sample;
  });
  if (type[2] === "histogram") checkHistogram(name, samples);
  else if (samples.some((sample) => sample.name !== name)) throw new Error(`a stranger among ${name}`);
  return { name, help: help[2], type: type[2], samples };
}

function parseSample(line: string): Sample {
  const found = SAMPLE.exec(line);
  if (!found || !NUMBER.test(found[3])) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = found[2] ?? ""; rest !== "";) {
    const label = LABEL.exec(rest);
    if (!label || label[1] in labels) throw new Error(`no label: ${rest}`);
    labels[label[1]] = label[2].replace(/\\(.)/g, (_, sign) => sign === "n" ? "\n" : sign);
    rest = rest.slice(label[0].length);
  }
  return { name: found[1], labels, value: Number(found[3].replace("Inf", "Infinity")) };
}

/** Each of the same labels: buckets rise up to +Inf, which is the count. */
function checkHistogram(name: string, samples: readonly Sample[]): void {
  const series = Map.groupBy(samples, ({ labels }) => {
    return JSON.stringify(Object.entries(labels).filter(([label]) => label !== "le").sort());
  });
  for (const one of series.values()) checkSeries(name, one);
}

function checkSeries(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const count = samples.find((sample) => sample.name === `${name}_count`);
  const bounds = buckets.map(({ labels }) => Number(labels.le.replace("Inf", "Infinity")));
  const values = buckets.map(({ value }) => value);
  const rise = (list: number[]) => list.every((one, at) => at === 0 || one >= list[at - 1]);
  const whole = samples.length === buckets.length + 2 && samples.some((one) => one.name === `${name}_sum`);
  if (
    !whole || !rise(bounds) || bounds.at(-1) !== Infinity || !rise(values) || values.at(-1) !== count?.value
  ) {
    throw new Error(`no histogram: ${name}`);
  }
}
