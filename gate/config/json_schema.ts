/** The keys of ugate.yaml as a JSON Schema (2020-12), for editors and validators. */
import { z } from "zod";
import type { Protocols } from "../contracts.ts";
import { ACTIONS } from "./filter_schema.ts";
import { route } from "./route_schema.ts";
import { file, limits } from "./schema.ts";
import { oneOfWords } from "./shapes.ts";
import { layer, protocol } from "./value_schema.ts";

/** What may be written, before the environment is put in; names of protocols are those of the registry. */
export function jsonSchema(protocols: Protocols): object {
  const names = Object.keys(protocols);
  const closed = new Map<unknown, object>([
    [protocol, oneOfWords(names)],
    [layer, oneOfWords(names.filter((name) => protocols[name].wrap))],
  ]);
  return z.toJSONSchema(file, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, closed.get(zodSchema));
      if (zodSchema === limits.unwrap().shape.reserve) jsonSchema.propertyNames = { enum: names };
      if (zodSchema === route) {
        jsonSchema.anyOf = ["to", "tls", ...ACTIONS].map((key) => ({ required: [key] }));
      }
      // zod says { type: string } of every scalar here; where a shape of its own is given, that alone holds.
      if (jsonSchema.anyOf && jsonSchema.type === "string") delete jsonSchema.type;
      const written = jsonSchema.default;
      const plain = typeof written === "string" && /^([0-9]+|true|false)$/.test(written);
      if (plain) jsonSchema.default = JSON.parse(written);
    },
  });
}
