/** Moves a stream into TLS, as the server or as the client: the handshake, its deadline, and what was agreed. */
import type { Stream } from "../../gate/streams.ts";
import { parseIp } from "../../gate/address.ts";
import { asGateError, atLimit, GateError, type Side } from "../../gate/errors.ts";
import { Layered } from "../../gate/engine/layered.ts";
import { after, promiseResolved } from "../../gate/engine/loop.ts";
import { Connection } from "../../gate/engine/openssl.ts";
import type { Context } from "../../gate/engine/openssl_context.ts";
import { TlsCore } from "./core.ts";
import type { TlsFacts } from "./facts.ts";

export interface Secured {
  readonly stream: Layered;
  readonly facts: TlsFacts;
}

export interface Patience {
  /** ms for the whole handshake. */
  readonly timeout: number;
  /** Gives up with its reason. */
  readonly signal?: AbortSignal;
}

/** What came of a handshake. */
export type Outcome = Secured | GateError;

/**
 * The server's side: MOVES `lower`, whose next bytes are the ClientHello. Rejects with GateError, the client told by an
 * alert: "unauthenticated" (its certificate), "unsupported" (nothing in common), "malformed", "reset", "closed",
 * "timeout". With `tickets`, a session resumes only where the same bytes were given.
 */
export function acceptTls(
  lower: Stream,
  context: Context,
  patience: Patience,
  tickets?: Uint8Array<ArrayBuffer>,
): Promise<Secured> {
  return promised((settled) => beginAccepting(lower, () => context, patience, tickets, settled));
}

/**
 * The same without a promise: `settled` is told once, from the loop. Throws what is wrong at once. The context is asked for
 * in the first step of the handshake, within the time that those have.
 */
export function beginAccepting(
  lower: Stream,
  context: () => Context,
  patience: Patience,
  tickets: Uint8Array<ArrayBuffer> | undefined,
  settled: (outcome: Outcome) => void,
): void {
  const connection = new Connection(context);
  if (tickets) connection.bindTickets(tickets);
  begin(lower, connection, "client", patience, settled);
}

/**
 * The client's side: MOVES `lower`. `serverName` is asked for and has to be in the certificate; an IP literal is verified
 * alone; `unverified`: any name will do. Rejects with GateError as acceptTls, "refused" where the certificate is not
 * believed.
 */
export function connectTls(
  lower: Stream,
  context: Context,
  serverName: string,
  patience: Patience & { readonly unverified?: boolean },
): Promise<Secured> {
  const isIp = parseIp(serverName) !== undefined, { unverified } = patience;
  return promised((settled) => {
    const connection = new Connection(context, { name: serverName, isIp, unverified });
    begin(lower, connection, "upstream", patience, settled);
  });
}

function promised(begin: (settled: (outcome: Outcome) => void) => void): Promise<Secured> {
  return new Promise((resolve, reject) =>
    begin((outcome) => {
      promiseResolved();
      if (outcome instanceof GateError) reject(outcome);
      else resolve(outcome);
    })
  );
}

/** Owns both. */
function begin(
  lower: Stream,
  connection: Connection,
  side: Side,
  { timeout, signal }: Patience,
  settled: (outcome: Outcome) => void,
): void {
  let core: TlsCore;
  const late = () => core.abort(atLimit("handshakeTimeout", tooSlow(side, timeout)));
  const abort = () => core.abort(asGateError(signal!.reason));
  try {
    if (!lower.joint) throw new GateError("internal", "gate", "Cannot speak TLS: the stream has no joint");
    core = new TlsCore(lower.joint(), connection, side, (outcome) => {
      cancel();
      signal?.removeEventListener("abort", abort);
      settled(outcome instanceof GateError ? outcome : { stream, facts: outcome });
    });
  } catch (thrown) {
    connection[Symbol.dispose]();
    throw thrown;
  }
  const cancel = after(timeout, late);
  signal?.addEventListener("abort", abort, { once: true });
  const stream = new Layered(core, side);
  if (signal?.aborted) abort();
}

const tooSlow = (side: Side, timeout: number): GateError =>
  new GateError("timeout", side, `Cannot finish a TLS handshake: not within ${timeout} ms`);
