/** Joins a configuration with the keys of our client of SSH. */
import { Agent } from "../../protocols/ssh/client/agent.ts";
import { ClientKeyring } from "../../protocols/ssh/client/keyring.ts";
import { AGENT, type Credentials } from "../config/credentials.ts";
import type { Node } from "../identity/node_identity.ts";
import type { Keyring } from "../keyring.ts";

/** `node`: who this is, made where there is none yet. */
export function keyringOf(
  { ssh }: Credentials,
  node: () => Promise<Node>,
  warn: (text: string) => void,
): Keyring {
  const { identities, knownHosts = [] } = ssh ?? {};
  const read = () =>
    identities
      ? Promise.resolve(
        identities.map((one) =>
          one === AGENT ? new Agent(Deno.env.get("SSH_AUTH_SOCK")) : { name: one.file, ...one }
        ),
      )
      : node().then(({ secrets: { pkcs8 } }) => [{ name: "the node's key", pkcs8 }]);
  return new ClientKeyring({ user: ownUser(), identities: read, knownHosts, warn });
}

/** As whom this process runs; a service may have no such variables. */
const ownUser = (): string =>
  Deno.env.get("LOGNAME") || Deno.env.get("USER") || (Deno.uid() === 0 ? "root" : "ugate");
