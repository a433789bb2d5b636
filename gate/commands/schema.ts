/** `ugate schema`: the JSON Schema of ugate.yaml. */

/** Prints it; the exit code. */
export async function schema(): Promise<number> {
  const { jsonSchema } = await import("../config/schema.ts");
  console.log(JSON.stringify(jsonSchema(), null, 2));
  return 0;
}
