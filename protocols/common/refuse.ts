/** The client is answered from the result of the dial: how every protocol tells it that there is none. */
import type { Target } from "../../gate/address.ts";
import type { Conn, Gate } from "../../gate/contracts.ts";
import type { Stream } from "../../gate/streams.ts";
import { asGateError, type GateError } from "../../gate/errors.ts";

/** What a client reads in its protocol's own words: the reason's code, nothing of the inside. */
export type Answer = (reason: GateError) => Uint8Array;

/**
 * Writes the answer and fails with `reason`: the engine closes behind the answer (with an end, for a reset could
 * overtake it) and records the reason.
 */
export async function refuse(conn: Conn, reason: GateError, answer: Answer): Promise<never> {
  conn.deadline(conn.limits.handshakeTimeout);
  try {
    await conn.stream.write(answer(reason));
  } catch {
    // Who would have been answered is gone: the reason stays the one to record.
  }
  throw reason;
}

/**
 * What `gate.connect` gives; where it fails, the client is answered. The gate bounds the dial, so the client's own
 * deadline rests meanwhile; it bounds the answer, and ends with the relay.
 */
export async function connectOrRefuse(
  conn: Conn,
  gate: Gate,
  target: Target | undefined,
  answer: Answer,
): Promise<Stream> {
  conn.deadline(0);
  try {
    const upstream = await gate.connect(target, conn);
    conn.deadline(conn.limits.handshakeTimeout);
    return upstream;
  } catch (thrown) {
    return await refuse(conn, asGateError(thrown), answer);
  }
}
