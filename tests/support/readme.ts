/**
 * README.md as a test reads it. What a reader would serve is served, with these changes and no others:
 *
 * - listening addresses keep their host and get port 0; without `admin`, the admin page gets one too;
 * - a target of somebody's network becomes a server of the test, as its `places` say: each has to be in the example;
 * - `names` are put in front of `hosts`, so that nothing is asked of a name server;
 * - an authority that certifies names is one of the test;
 * - in the lines to type, the port of a listener or of the admin page becomes the one that it got.
 */
import { parse } from "yaml";
import { DEFAULT_CONFIGURATION } from "../../gate/config/defaults.ts";
import type { Program } from "./program.ts";

/** A configuration, and the lines to type up to the next one. */
export interface Example {
  /** Of the first line of the block, `# edge.yaml`. */
  readonly name: string;
  readonly yaml: string;
  readonly lines: readonly string[];
}

/** The lines before the first configuration of the text are about this one. */
export const BUILT_IN = "built-in";

/** Every fenced block, or an error: what is neither yaml nor sh, or has no name, could not be tested. */
export function examplesOf(markdown: string): Example[] {
  const examples: { name: string; yaml: string; lines: string[] }[] = [
    { name: BUILT_IN, yaml: DEFAULT_CONFIGURATION, lines: [] },
  ];
  for (const [, language, text] of markdown.matchAll(/^ *```(.*)\n([^]*?)^ *```$/gm)) {
    if (language === "sh") {
      examples.at(-1)!.lines.push(...text.split("\n").map(withoutComment).filter(Boolean));
    } else {
      const name = /^# (\S+\.yaml)\n/.exec(text)?.[1];
      if (language !== "yaml" || name === undefined) throw new Error(`not testable: ${language}\n${text}`);
      examples.push({ name, yaml: text, lines: [] });
    }
  }
  return examples;
}

const withoutComment = (line: string): string => line.replace(/ +# .*$/, "").trim();

/** By what is written -> what stands in for it. */
export type Replacements = Readonly<Record<string, string>>;

/** The configuration as it is served in a test. */
export function served(yaml: string, places: Replacements, names: Replacements): string {
  let text = yaml.replace(
    /\b(?:address|metrics): (?:"[^"]*"|\[[^\]]*\])/g,
    (listening) => listening.replace(/:\d+"/g, ':0"'),
  );
  for (const [written, real] of Object.entries(places)) {
    if (!text.includes(`"${written}"`)) throw new Error(`the example has no "${written}"`);
    text = text.replaceAll(`"${written}"`, `"${real}"`);
  }
  if (!/^admin:/m.test(text)) text += 'admin: { address: "127.0.0.1:0" }\n';
  const hosts = Object.entries(names).map(([name, address]) => `  ${name}: { addresses: ["${address}"] }\n`);
  if (hosts.length === 0) return text;
  if (!/^hosts:/m.test(text)) text += "hosts:\n";
  return text.replace(/^hosts:\n/m, `hosts:\n${hosts.join("")}`);
}

/** By the port that is written -> the one that the running program has. */
export function portsOf(yaml: string, program: Program): Map<number, number> {
  const { listeners, admin = {} } = parse(yaml);
  const ports = new Map<number, number>();
  const add = (name: string, addresses: string[]) => {
    addresses.forEach((address, i) => {
      ports.set(Number(address.slice(address.lastIndexOf(":") + 1)), program.port(name, i));
    });
  };
  for (const [name, { address }] of Object.entries<{ address: string | string[] }>(listeners ?? {})) {
    add(name, [address].flat());
  }
  add("admin", [admin.address ?? "127.0.0.1:15000"]);
  if (admin.metrics) add("metrics", [admin.metrics]);
  return ports;
}

/** A line to type, towards the ports of the running program. */
export function typed(line: string, ports: ReadonlyMap<number, number>, more: Replacements): string {
  const real = (port: string) => {
    const found = ports.get(Number(port));
    if (found === undefined) throw new Error(`nothing listens at the ${port} of: ${line}`);
    return String(found);
  };
  const towards = line.replace(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${real(port)}`)
    .replace(/ -p (\d+)/g, (_, port) => ` -p ${real(port)}`);
  return Object.entries(more).reduce((text, [written, stand]) => text.replaceAll(written, stand), towards);
}
