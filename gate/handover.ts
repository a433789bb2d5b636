/**
 * What a reload opens is opened before anything that held is closed, so that a refusal changes nothing. An address of
 * the admin page therefore cannot become a listener's within one reload, nor the other way round: who has it is told.
 */
import { formatTarget, isUnixHost, type Target } from "./address.ts";
import type { Configuration } from "./config/configuration.ts";
import { GateError } from "./errors.ts";

/** Somebody of this gate, and an address of theirs. */
export interface Owner {
  readonly name: string;
  readonly address: Target;
}

export const pagesOf = ({ admin: { address, metrics } }: Configuration): Owner[] => [
  ...(address ? [{ name: "admin page", address }] : []),
  ...(metrics ? [{ name: "admin.metrics", address: metrics }] : []),
];

export const listenersOf = ({ listeners }: Configuration): Owner[] =>
  Object.values(listeners).flatMap(({ name, addresses }) =>
    addresses.map((address) => ({ name: `listener ${name}`, address }))
  );

/** Why none of `wanted` could be bound: one of `owners` has it, who is named; else it is what was thrown. */
export function blame(thrown: unknown, wanted: readonly Target[], owners: readonly Owner[]): unknown {
  for (const address of wanted) {
    const owner = owners.find((owner) => overlap(owner.address, address));
    if (!owner) continue;
    const state = `this gate's own ${owner.name} has it, and has to leave it in a reload before this one`;
    return new GateError(
      "unsupported",
      "gate",
      `Cannot listen on ${formatTarget(address)}: ${state}`,
      thrown,
    );
  }
  return thrown;
}

/** Whether one of them keeps the other from being bound; port 0 is free for everybody. */
function overlap(a: Target, b: Target): boolean {
  if (isUnixHost(a.host) || isUnixHost(b.host)) return a.host === b.host;
  return a.port === b.port && a.port !== 0 && (covers(a.host, b.host) || covers(b.host, a.host));
}

/** "" and `::` are every address of both families. */
const covers = (host: string, other: string): boolean =>
  host === other || host === "" || host === "::" || (host === "0.0.0.0" && !other.includes(":"));
