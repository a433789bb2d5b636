/** Which gate a command means: `--admin` or `$UGATE_ADMIN`, the configuration's `admin.address`, the default. */
import { formatTarget, isUnixHost, type Target } from "../address.ts";
import { loadAdminAddress } from "../config/admin_address.ts";
import { placesOf } from "../config/files.ts";
import { ConfigurationError } from "../config/problems.ts";
import { GateError } from "../errors.ts";
import { reachable } from "./admin_option.ts";
import { AdminClient } from "./admin_client.ts";

/** What every command that speaks to a running gate is given. */
export interface GateOptions {
  /** Already as a target: wrong usage is told before anything else. */
  readonly admin?: Target;
  readonly config?: string;
  readonly json?: boolean;
}

const DEFAULT: Target = { host: "127.0.0.1", port: 15000 };

/**
 * The gate that is meant. A configuration that nobody named and that is broken is told on stderr, and does not keep
 * anybody from asking; throws GateError where one was named that does not say, for another gate is not meant.
 */
export async function findGate({ admin, config }: GateOptions): Promise<AdminClient> {
  const target = admin ?? await configured(config);
  const slow = () => {
    if (Deno.stderr.isTerminal()) console.error(`waiting for the gate at ${formatTarget(target)} ...`);
  };
  return new AdminClient(target, slow);
}

async function configured(config: string | undefined): Promise<Target> {
  let address: Target | undefined;
  try {
    address = await loadAdminAddress(config);
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    const [{ place, message }, ...more] = thrown.problems;
    const state = `${place}: ${message}${more.length > 0 ? ` (and ${more.length} more)` : ""}`;
    if (!placesOf(config, Deno.env).optional) throw unknown(state);
    console.error(`warning: ${state}; asking the gate at ${formatTarget(DEFAULT)}`);
    return DEFAULT;
  }
  if (address === undefined) throw unknown("admin.address of the configuration is off");
  if (address.port === 0 && !isUnixHost(address.host)) {
    throw unknown("admin.address of the configuration has no fixed port");
  }
  return reachable(address);
}

function unknown(state: string): GateError {
  return new GateError("no-route", "gate", `Cannot find the gate: ${state}; --admin says where it is`);
}
