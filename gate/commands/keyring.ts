/** Joins a configuration with the keys of our client of SSH. */
import { Agent } from "../../protocols/ssh/client/agent.ts";
import { ClientKeyring } from "../../protocols/ssh/client/keyring.ts";
import { AGENT } from "../config/credentials.ts";
import type { Loaded } from "../config/load.ts";
import type { Keyring } from "../keyring.ts";

/** `nodeKey`: PKCS #8 of what this node is known by; it is made where there is none yet. */
export function keyringOf(
  { credentials: { ssh } }: Pick<Loaded, "credentials">,
  nodeKey: () => Promise<Uint8Array>,
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
      : nodeKey().then((pkcs8) => [{ name: "the node's key", pkcs8 }]);
  return new ClientKeyring({ user: ownUser(), identities: read, knownHosts, warn });
}

/** As whom this process runs; a service may have no such variables. */
const ownUser = (): string =>
  Deno.env.get("LOGNAME") || Deno.env.get("USER") || (Deno.uid() === 0 ? "root" : "ugate");
