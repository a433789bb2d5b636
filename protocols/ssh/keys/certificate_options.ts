/** What a certificate demands (critical options), and what it permits (extensions): PROTOCOL.certkeys. */
import { sourceNetworks } from "./sources.ts";
import { type Fields, readWhole, Refusal, required } from "./fields.ts";

export interface Constraints {
  /** What is run whatever is asked for. */
  readonly forceCommand?: string;
  /** Networks, one of which the client has to be in. */
  readonly sourceAddress?: readonly string[];
  /** The security key has to have asked who it is. */
  readonly verifyRequired: boolean;
  /** Of all that it has, in order. */
  readonly names: readonly string[];
  /** Those that are not known: who does not know one refuses. */
  readonly unknown: readonly string[];
}

const MOST_NAME = 256, MOST_VALUE = 8192;
const KNOWN = ["force-command", "source-address", "verify-required"];

/** Throws Refusal. */
export function readCritical(bytes: Uint8Array): Constraints {
  const options = named(bytes);
  const text = (name: string): string | undefined => {
    const value = options.get(name);
    return value && required(readWhole(value, (fields) => fields.text(MOST_VALUE)));
  };
  const source = text("source-address"), networks = source === undefined ? undefined : sourceNetworks(source);
  if (networks instanceof Refusal) throw networks;
  if (options.get("verify-required")?.length) throw new Refusal("verify-required with a value");
  const names = Array.from(options.keys());
  return {
    forceCommand: text("force-command"),
    sourceAddress: networks,
    verifyRequired: options.has("verify-required"),
    names,
    unknown: names.filter((name) => !KNOWN.includes(name)),
  };
}

/** Of those we know none has a value, so a value is no reason to refuse what we do not know. Throws Refusal. */
export const readExtensions = (bytes: Uint8Array): ReadonlySet<string> => new Set(named(bytes).keys());

function named(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  return required(readWhole(bytes, (fields: Fields) => {
    const found = new Map<string, Uint8Array>();
    while (fields.left > 0) {
      const name = fields.text(MOST_NAME), value = fields.string();
      if (found.has(name)) throw new Refusal(`${name} twice`);
      found.set(name, value);
    }
    return found;
  }));
}
