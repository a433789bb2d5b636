/** From a stream to a connection that is logged in: the transport, whom it has to meet, and who we are there. */
import { formatTarget, type Target } from "../../../gate/address.ts";
import { asGateError, GateError } from "../../../gate/errors.ts";
import { after, promiseResolved } from "../../../gate/engine/loop.ts";
import type { Introduction, Keyring } from "../../../gate/keyring.ts";
import type { Stream } from "../../../gate/streams.ts";
import type { Secured } from "../above.ts";
import { Transport } from "../transport.ts";
import { Login } from "./login.ts";
import { SharedConnection } from "./shared.ts";
import { GateTrust } from "./host_trust.ts";

/** What connections are told apart by. */
export interface Host {
  readonly target: Target;
  readonly layers: readonly string[];
  readonly identity: string | undefined;
  readonly user: string | undefined;
  /** As Wrapping has it. */
  readonly keys: string;
}

/** For each key exchange; for the login, in which somebody may have to touch a key. ms */
const EXCHANGE_TIME = 10_000, LOGIN_TIME = 120_000;
/** Types of host keys that a server may have. */
const MOST_TYPES = 5;

/** MOVES what `lower` gives. `gone`: see SharedConnection. Rejects with GateError. */
export async function connect(
  host: Host,
  lower: () => Promise<Stream>,
  keyring: Keyring,
  gone: (connection: SharedConnection) => void,
  idleTime?: number,
): Promise<SharedConnection> {
  const introduction = await keyring.introduce(host.target), shown = new Set<string>();
  let met: GateError | undefined;
  for (;;) {
    const trust = new GateTrust(host.target, host.identity, introduction.known, shown);
    try {
      const { transport, roundTrip } = await logIn(await lower(), host, trust, introduction, keyring);
      if (transport.isOver) throw endedBehindLogin(); // nobody would hear of that any more
      return new SharedConnection(transport, roundTrip, gone, idleTime);
    } catch (thrown) {
      const reason = asGateError(thrown);
      // Of several keys a server shows the first that we take: the pinned one may be another one of them.
      if (trust.other === undefined || shown.size === MOST_TYPES) {
        throw at(host.target, reason.failure === "unsupported" && met || reason);
      }
      shown.add(trust.other);
      met = reason;
    }
  }
}

interface LoggedIn {
  readonly transport: Transport;
  readonly roundTrip: number;
}

function logIn(
  stream: Stream,
  { user }: Host,
  trust: GateTrust,
  introduction: Introduction,
  keyring: Keyring,
): Promise<LoggedIn> {
  return new Promise((resolve, reject) => {
    const settled = (outcome: Secured | GateError) => {
      cancel();
      promiseResolved();
      if (outcome instanceof GateError) reject(outcome);
      else resolve({ transport, roundTrip: outcome.roundTrip });
    };
    const login = new Login({ user: user ?? introduction.user, keys: introduction.keys, keyring, settled });
    const transport = login.transport = new Transport("client", stream.joint!(), {
      trust,
      exchangeTimeout: EXCHANGE_TIME,
    }, login);
    const cancel = after(LOGIN_TIME, () => {
      login.abort(new GateError("timeout", "upstream", `Cannot log in: not within ${LOGIN_TIME / 1000} s`));
    });
  });
}

const endedBehindLogin = () =>
  new GateError("closed", "upstream", "Cannot go on: the connection ended right behind the login");

function at(target: Target, reason: GateError): GateError {
  if (reason.side === "client") return reason;
  const act = `Cannot use SSH at ${formatTarget(target)}`;
  const told = new GateError(reason.failure, reason.side, act, reason);
  told.limit = reason.limit;
  return told;
}
