/** Where a file is that a configuration names. */
import type { ConfigurationText } from "./files.ts";
import type { Findings } from "./problems.ts";
import { absolute } from "./source.ts";
import { nodeAt, type Path } from "./tree.ts";

/** From the file or place of a text to the directory that relative paths in it are from. */
export type BaseOf = (file: string) => string;

export function baseIn(texts: readonly ConfigurationText[]): BaseOf {
  return (file) => {
    const { base = file } = texts.find((text) => text.file === file) ?? {};
    return base.includes("/") ? base.replace(/[^/]*$/, "") : ".";
  };
}

/** The absolute path of what is written at `path`: a relative one is from where the text is that names it. */
export function namedPath(path: Path, file: string, findings: Findings, baseOf: BaseOf): string {
  return pathFrom(nodeAt(findings.root, path)?.source.file ?? "", file, baseOf);
}

/** The same of what the text of `source` names. */
export const pathFrom = (source: string, file: string, baseOf: BaseOf): string =>
  absolute(file.startsWith("/") ? file : `${baseOf(source)}/${file}`);
