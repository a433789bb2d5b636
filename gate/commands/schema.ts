/** `ugate schema`: the JSON Schema of ugate.yaml. */

import { protocols } from "../../protocols/mod.ts";

/** Prints it; the exit code. */
export async function schema(): Promise<number> {
  const { jsonSchema } = await import("../config/json_schema.ts");
  console.log(JSON.stringify(jsonSchema(protocols), null, 2));
  return 0;
}
