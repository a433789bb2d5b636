/** `ugate id`: who this gate is, and what others write down to know it. Makes its key where there is none yet. */
import type { Configuration } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { causeChain } from "../errors.ts";
import { nodeIdentity } from "../identity/node_identity.ts";
import { type NodeWords, wordsOf } from "../identity/node_words.ts";
import { protocols } from "../../protocols/mod.ts";
import { renderQr } from "./qr.ts";
import { visibleJson } from "../visible.ts";

export interface IdOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** As text or as JSON; the exit code. Throws ConfigurationError. */
export async function id({ config: path, json }: IdOptions): Promise<number> {
  const { config, credentials, warnings } = await loadConfiguration(path, protocols);
  for (const warning of warnings) console.error(`warning: ${warning}`);
  const { state, domain } = config.node;
  try {
    const given = credentials.node, owner = await ownerOf(state);
    const words = wordsOf((await nodeIdentity({ state, domain, given, owner })).identity, config.node.name);
    if (json) console.log(visibleJson(words, 2));
    else {
      console.log(idLines(words, config.node).join("\n"));
      if (Deno.stdout.isTerminal() && !Deno.noColor) console.log(`\n${await renderQr(words.id)}`);
    }
    return 0;
  } catch (thrown) {
    console.error(`ugate: ${causeChain(thrown)}`);
    return 1;
  }
}

/** Root looks at the state of a service: whose it is. */
async function ownerOf(state: string): Promise<number | undefined> {
  if (Deno.uid() !== 0) return undefined;
  return await Deno.stat(state).then(({ uid }) => uid ?? undefined, () => undefined);
}

/** For people. */
export function idLines(words: NodeWords, { state, key }: Configuration["node"]): string[] {
  const { id, vip, names, ssh, tls } = words;
  const origin = key === undefined ? `made by this gate, kept in ${state}` : `given: ${key}`;
  const signer = tls.selfSigned ? "signed by itself" : "given";
  const facts: [string, string | undefined][] = [
    ["ID", id],
    ["VIP", vip],
    ["names", names.join(", ")],
    ["key", `${words.key}, ${origin}`],
    ["SSH", `${ssh.fingerprint} (${ssh.type})`],
    [
      "SSH host",
      ssh.host.fingerprint === ssh.fingerprint ? undefined : `${ssh.host.fingerprint} (${ssh.host.type})`,
    ],
    ["TLS", `SHA256 ${tls.fingerprint}, ${signer}, until ${tls.expires.slice(0, 10)}`],
    ["SPIFFE", tls.spiffe],
  ];
  return [
    ...facts.flatMap(([title, value]) => value === undefined ? [] : [`${title.padEnd(10)}${value}`]),
    ...["", "who lets it log in writes into authorized_keys:", words.authorizedKeys],
    ...["", "who connects to it writes into known_hosts:", words.knownHosts],
    ...["", "who signs its zone writes into the DNS:", words.tlsa],
  ];
}
