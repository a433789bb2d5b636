/** The gate as `ugate run` serves, without what a process has beside it: no state on disk, no systemd. */
import { discoveryOf } from "../../gate/commands/discovery.ts";
import { keyringOf } from "../../gate/commands/keyring.ts";
import { print } from "../../gate/commands/print.ts";
import { listenOn } from "../../gate/engine/bind.ts";
import { nodeIdentity } from "../../gate/identity/node_identity.ts";
import { Service, type ServiceParts } from "../../gate/service.ts";

/** Reads and serves. */
export async function startService(
  given: Pick<ServiceParts, "read" | "parse" | "worker" | "log" | "scope">,
): Promise<Service> {
  return await Service.start({
    ...given,
    loaded: await given.read(),
    isKnown: () => Promise.resolve(true),
    keep: () => Promise.resolve(),
    busy: () => {},
    namesOf: discoveryOf,
    keyringOf,
    bind: ({ address }) => listenOn(address),
    formatOf: () => "json",
    print: (reading, operations, { node }, { node: given }) => {
      const identity = () => nodeIdentity({ state: node.state, domain: node.domain, given });
      return print(reading, { operations, node, identity });
    },
    node: ({ config: { node: { state, domain } }, credentials: { node } }) =>
      nodeIdentity({ state, domain, given: node }),
    acmeWorker: () => new Worker(new URL("../../gate/threads/acme.ts", import.meta.url), { type: "module" }),
  });
}
