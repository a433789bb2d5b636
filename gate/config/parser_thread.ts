/// <reference lib="deno.worker" />
/** The other side of parser.ts: texts come in, what they are together goes out; or who the node is. */
import type { Protocols } from "../contracts.ts";
import { causeChain } from "../errors.ts";
import "./check.ts"; // these four are loaded before the texts come
import "./document.ts";
import "./effective.ts";
import { parseConfiguration } from "./load.ts";
import type { Asked, Parsed } from "./parser.ts";
import { ConfigurationError } from "./problems.ts";
import "./sections.ts";

export function startParser(protocols: Protocols): void {
  self.onmessage = async ({ data }: MessageEvent<Asked>) => self.postMessage(await answer(data, protocols));
}

async function answer(asked: Asked, protocols: Protocols): Promise<Parsed> {
  try {
    if ("texts" in asked) return { loaded: await parseConfiguration(asked.texts, protocols) };
    const { nodeIdentity } = await import("../identity/node_identity.ts");
    return { node: await nodeIdentity(asked.node) };
  } catch (thrown) {
    if (thrown instanceof ConfigurationError) {
      return { problems: thrown.problems, references: thrown.references };
    }
    return { fault: causeChain(thrown) };
  }
}
