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

/**
 * The server's side: MOVES `lower`, whose next bytes are the ClientHello. Rejects with GateError, the client told by an
 * alert: "unauthenticated" (its certificate), "unsupported" (nothing in common), "malformed", "reset", "closed",
 * "timeout". With `tickets`, a session resumes only where the same bytes were given.
 */
export function acceptTls(
  lower: Stream,
  context: Context,
  patience: Patience,
  tickets?: Uint8Array,
): Promise<Secured> {
  return secure(lower, () => serverSide(context, tickets), "client", patience);
}

function serverSide(context: Context, tickets: Uint8Array | undefined): Connection {
  const connection = new Connection(context);
  try {
    if (tickets) connection.bindTickets(tickets);
    return connection;
  } catch (thrown) {
    connection[Symbol.dispose]();
    throw thrown;
  }
}

/**
 * The client's side: MOVES `lower`. `serverName` is asked for and has to be in the certificate; an IP literal is verified
 * alone. Rejects with GateError as acceptTls, "refused" where the certificate is not believed.
 */
export function connectTls(
  lower: Stream,
  context: Context,
  serverName: string,
  patience: Patience,
): Promise<Secured> {
  const isIp = parseIp(serverName) !== undefined;
  return secure(lower, () => new Connection(context, { name: serverName, isIp }), "upstream", patience);
}

async function secure(
  lower: Stream,
  make: () => Connection,
  side: Side,
  { timeout, signal }: Patience,
): Promise<Secured> {
  const settled = Promise.withResolvers<TlsFacts>();
  const connection = make();
  let core: TlsCore;
  try {
    if (!lower.joint) throw new GateError("internal", "gate", "Cannot speak TLS: the stream has no joint");
    core = new TlsCore(lower.joint(), connection, side, (outcome) => {
      promiseResolved();
      if (outcome instanceof GateError) settled.reject(outcome);
      else settled.resolve(outcome);
    });
  } catch (thrown) {
    connection[Symbol.dispose]();
    throw thrown;
  }
  const late = () => core.abort(atLimit("handshakeTimeout", tooSlow(side, timeout)));
  const cancel = after(timeout, late), abort = () => core.abort(asGateError(signal!.reason));
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const stream = new Layered(core, side);
    if (signal?.aborted) abort();
    return { stream, facts: await settled.promise };
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
  }
}

const tooSlow = (side: Side, timeout: number): GateError =>
  new GateError("timeout", side, `Cannot finish a TLS handshake: not within ${timeout} ms`);
