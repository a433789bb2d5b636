/** The configuration that holds, for who asks: what is written and every default, as ugate.yaml would have it. */
import { z } from "zod";
import type { Configuration } from "./configuration.ts";
import { file, limits } from "./schema.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Keys and values in the spelling of ugate.yaml: numbers as numbers, durations and sizes as texts; written as such, it
 * would mean the same. `written`: all of it, `${NAME}` not replaced and secrets as `***`, which both stay.
 */
export function effective(written: unknown, { node: { name, state } }: Configuration): unknown {
  const sections = written as Fields;
  const { sniffTimeout } = complete(limits, sections.limits) as Fields;
  const listeners = Object.entries(sections.listeners as Readonly<Record<string, Fields>>)
    .map(([name, keys]) => [name, keys.to === undefined ? { sniffTimeout, ...keys } : keys]);
  return complete(file, {
    ...{ routes: [], hosts: {}, policy: [] },
    ...sections,
    node: { name, state, ...sections.node as Fields | undefined },
    listeners: Object.fromEntries(listeners),
  });
}

/** A value that the schema accepts, in the order of the schema's keys and with their defaults. */
function complete(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodPrefault) return complete(schema.unwrap(), value ?? schema.def.defaultValue);
  if (schema instanceof z.ZodOptional) return value === undefined ? value : complete(schema.unwrap(), value);
  if (schema instanceof z.ZodUnion) return complete(meant(schema.options, value), value);
  if (Array.isArray(value)) return value.map((item) => complete((schema as z.ZodArray).element, item));
  if (schema instanceof z.ZodObject) return completeKeys(schema.shape, value as Fields);
  if (schema instanceof z.ZodRecord) {
    const entries = Object.entries(value as Fields);
    return Object.fromEntries(entries.map(([key, each]) => [key, complete(schema.valueType, each)]));
  }
  if (hasForm(schema, "boolean") && /^(true|false)$/.test(String(value))) return String(value) === "true";
  return hasForm(schema, "integer") && /^[0-9]+$/.test(String(value)) ? Number(value) : value;
}

function completeKeys(shape: Readonly<Record<string, z.core.$ZodType>>, value: Fields): Fields {
  const entries = Object.entries(shape).map(([key, schema]) => [key, complete(schema, value[key])]);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

/** Of the forms a value may have, the one that it has. */
function meant(forms: readonly z.core.$ZodType[], value: unknown): z.core.$ZodType {
  const form = Array.isArray(value) ? z.ZodArray : typeof value === "object" ? z.ZodObject : z.ZodPipe;
  return forms.find((one) => one instanceof form) ?? forms[0];
}

/** Whether a scalar may be this to who reads YAML, as its shape for editors says. */
function hasForm(schema: z.core.$ZodType, wanted: "integer" | "boolean"): boolean {
  if (!(schema instanceof z.ZodPipe)) return false;
  const forms = schema.meta()?.anyOf as readonly { readonly type?: string }[] | undefined;
  return forms?.some(({ type }) => type === wanted) ?? hasForm(schema.in, wanted);
}
