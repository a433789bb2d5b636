/// <reference lib="deno.worker" />
/** The other side of parser.ts: texts come in, what they are together goes out. */
import type { Protocols } from "../contracts.ts";
import { causeChain } from "../errors.ts";
import "./check.ts"; // these four are loaded before the texts come
import "./document.ts";
import "./effective.ts";
import type { ConfigurationText } from "./files.ts";
import { parseConfiguration } from "./load.ts";
import type { Parsed } from "./parser.ts";
import { ConfigurationError } from "./problems.ts";
import "./sections.ts";

export function startParser(protocols: Protocols): void {
  self.onmessage = async ({ data }: MessageEvent<readonly ConfigurationText[]>) =>
    self.postMessage(await parsed(data, protocols));
}

async function parsed(texts: readonly ConfigurationText[], protocols: Protocols): Promise<Parsed> {
  try {
    return { loaded: await parseConfiguration(texts, protocols) };
  } catch (thrown) {
    if (thrown instanceof ConfigurationError) {
      return { problems: thrown.problems, references: thrown.references };
    }
    return { fault: causeChain(thrown) };
  }
}
