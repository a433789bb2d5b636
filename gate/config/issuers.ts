/** Issuers of tokens with their keys, as far as these are in files. */
import { type KeySource, readKeySet } from "../key_set.ts";
import type { IssuerConfiguration } from "./configuration.ts";
import { type BaseOf, namedPath } from "./named_path.ts";
import type { Findings } from "./problems.ts";
import type { Located } from "./read.ts";
import type { ReferencedFiles } from "./references.ts";
import type { KeyPlace } from "./scalars.ts";

/** As the schema reads one. */
interface Written {
  readonly issuer: string;
  readonly jwks: KeyPlace;
  readonly audiences?: readonly string[];
}

/** Mistakes are found where the file is named. */
export async function readIssuers(
  issuers: readonly Located<Written>[],
  files: ReferencedFiles,
  findings: Findings,
  baseOf: BaseOf,
): Promise<IssuerConfiguration[]> {
  return await Promise.all(issuers.map(async ({ path, value: { jwks, ...issuer } }) => {
    if ("url" in jwks) return { ...issuer, keys: jwks };
    const at = [...path, "jwks"], file = namedPath(at, jwks.file, findings, baseOf);
    const read = await files.read(file), text = "text" in read ? read.text : "";
    const keys = "text" in read ? readKeySet(text) : read.fault;
    if (typeof keys === "string") findings.error(at, `Cannot read keys of ${file}: ${keys}`);
    const source: KeySource = { file, text };
    return { ...issuer, keys: source };
  }));
}
