/** What schemas of keys are made of: texts that are read, maps of known keys, one or many. */
import { z } from "zod";
import * as scalars from "./scalars.ts";
import { Mistake, type Reading } from "./scalars.ts";
import { suggestion } from "./suggest.ts";

/** In a JSON Schema: a text whose value the environment gives. */
export const FROM_ENVIRONMENT = { type: "string", pattern: "\\$\\{" };

/** A text that `read` understands; `json` is its shape in an editor where that is not just any text. */
export function scalar<T>(expected: string, read: (text: string) => Reading<T>, json: object = {}) {
  return z.string({ error: `expected ${expected}` }).transform((text, context): T => {
    const value = read(text);
    if (!(value instanceof Mistake)) return value;
    context.addIssue({
      code: "custom",
      message: `expected ${value.expected}`,
      params: { part: value.got, meant: value.meant },
    });
    return z.NEVER;
  }).meta({ description: expected, ...json });
}

export function oneOf<const T extends string>(words: readonly T[]) {
  const expected = words.length === 1 ? words[0] : `one of ${words.join(", ")}`;
  const read = (text: string) => words.find((word) => word === text) ?? new Mistake(expected);
  return scalar(expected, read, oneOfWords(words));
}

/** In a JSON Schema: one of a closed set. */
export function oneOfWords(words: readonly string[]): object {
  return { anyOf: [{ enum: words }, FROM_ENVIRONMENT] };
}

export function flag() {
  const expected = "true or false";
  const read = (text: string) =>
    text === "true" || text === "false" ? text === "true" : new Mistake(expected);
  return scalar(expected, read, { anyOf: [{ type: "boolean" }, FROM_ENVIRONMENT] });
}

export function integer(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most}`;
  const read = (text: string) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most ? value : new Mistake(expected);
  };
  return scalar(expected, read, {
    anyOf: [{ type: "integer", minimum: least, maximum: most }, FROM_ENVIRONMENT],
  });
}

export function duration(least = 1) {
  const pattern = "^[0-9]+(ms|s|m|h)$|\\$\\{";
  return scalar(scalars.DURATION, (text) => scalars.readDuration(text, least), { pattern });
}

export function size(least: number, most: number) {
  const read = (text: string) => {
    const bytes = scalars.readSize(text);
    if (bytes instanceof Mistake || (bytes >= least && bytes <= most)) return bytes;
    return new Mistake(`${scalars.SIZE}, from ${least} to ${most} bytes`);
  };
  return scalar(scalars.SIZE, read, { pattern: "^[0-9]+(B|KiB|MiB|GiB)$|\\$\\{" });
}

/** Of so many keys a map's own are told where something else stands in its place. */
const MOST_NAMED = 5;

/** A key: what it is for, and what may stand there. */
type Described = readonly [meaning: string, schema: z.ZodType];

/**
 * A map of these keys. Every key is known, or a mistake of its own: one line of the message for each. An editor shows
 * the meanings.
 */
export function keys<const S extends Readonly<Record<string, Described>>>(described: S) {
  const known = Object.keys(described);
  const shape = Object.fromEntries(
    Object.entries(described).map(([key, [meaning, schema]]) => [key, describe(meaning, schema)]),
  ) as { [K in keyof S]: S[K][1] };
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === "unrecognized_keys"
        ? (keys as string[]).map((key) => `unknown key${suggestion(key, known)}`).join("\n")
        : `expected a map${known.length <= MOST_NAMED ? ` of ${known.join(", ")}` : ""}`,
  });
}

export function list<T extends z.ZodType>(item: T) {
  const error = item.description === undefined
    ? "expected a list"
    : `expected a list, each ${item.description}`;
  return z.array(item, { error }).min(1, { error: "expected at least one" });
}

/** The meaning, and the form of the text where it is one. */
function describe(meaning: string, schema: z.ZodType): z.ZodType {
  let inner: z.core.$ZodType = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodPrefault) inner = inner.unwrap();
  const form = inner instanceof z.ZodPipe ? inner.description : undefined;
  return schema.describe(form === undefined ? meaning : `${meaning}; ${form}`);
}

/** A list in any case, of what may be a list itself. */
export function oneOrMany<T extends z.ZodType>(item: T) {
  const one = item.transform((value: z.output<T>): z.output<T>[] => [value]);
  return z.union([one, list(item)], { error: `expected ${item.description ?? "one"}, or a list of them` });
}

/** What keys of one map need or exclude; told beside every other mistake of that map. */
interface Relation {
  readonly right: (has: (key: string) => boolean) => boolean;
  readonly error: string;
  /** The key to blame, else the map. */
  readonly key?: string;
}

export function related<T extends z.ZodType<object>>(map: T, ...relations: readonly Relation[]): T {
  return relations.reduce(
    (whole, { right, error, key }) =>
      whole.refine((value) => right((name) => (value as Record<string, unknown>)[name] !== undefined), {
        error,
        path: key === undefined ? [] : [key],
        when: ({ value }) => typeof value === "object" && value !== null,
      }),
    map,
  );
}
