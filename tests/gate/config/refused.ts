/** Configurations that are refused: the beginnings that several texts have in common, and the one test that each mistake is. */
import { ConfigurationError, parseConfiguration } from "../../../gate/config/load.ts";
import { equal } from "../../support/assert.ts";
import { toyProtocols } from "./toy_protocols.ts";

const env = { get: (name: string) => ({ PORT: "70000", SECRET: "hunter2" } as Record<string, string>)[name] };

/** The problems, `place path: message` each; none: it is right. */
export async function problemsOf(text: string): Promise<string[]> {
  try {
    await parseConfiguration([{ file: "ugate.yaml", text }], toyProtocols, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message.split("\n");
  }
}

export const EDGE = `listeners: { edge: { address: ":443", protocols: [tls, ssh] } }\n`;
export const HOSTS = (host: string) => `hosts: { ${host} }\n`;
export const LOCAL = (more: string) => `listeners: { a: { address: "127.0.0.1:1", ${more} } }\n`;

/** Where the mark is. */
function placeOf(marked: string): string {
  const before = marked.slice(0, Math.max(0, marked.indexOf("^"))).split("\n");
  return marked.includes("^") ? `ugate.yaml:${before.length}:${before.at(-1)!.length + 1}` : "ugate.yaml";
}

/** A name, the text with a ^ before the mistake (none: the whole file), its path, and the sentence. */
type Broken = readonly [name: string, text: string, path: string, sentence: RegExp];

/** A test of each: exactly one problem, which has its place, its path and its sentence. */
export function refused(broken: readonly Broken[]): void {
  for (const [name, marked, path, sentence] of broken) {
    Deno.test(`${name} is refused, with its place`, async () => {
      const problems = await problemsOf(marked.replace("^", ""));
      const start = [placeOf(marked), path].filter((part) => part !== "").join(" ");
      equal(problems.length, 1, problems.join("\n"));
      equal(problems[0].startsWith(`${start}: `), true, problems[0]);
      equal(sentence.test(problems[0]), true, problems[0]);
    });
  }
}
