/** Waiting for a promise no longer than its time, and no longer than who waits for it wants to. */
import { GateError } from "../gate/errors.ts";

/**
 * What `act` answers, at most `ms` later: then, or when `outer` aborts, its signal aborts and this rejects with a
 * GateError, whether `act` listens or not.
 */
export async function within<T>(
  ms: number,
  outer: AbortSignal,
  what: string,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const signal = AbortSignal.any([outer, late.signal]);
  const timer = setTimeout(
    () => late.abort(new GateError("timeout", "upstream", `Cannot ${what}: silence`)),
    ms,
  );
  try {
    return await new Promise<T>((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal, what));
      signal.addEventListener("abort", () => reject(abortReason(signal, what)), { once: true });
      act(signal).then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Why a signal aborted, as a GateError. */
export function abortReason(signal: AbortSignal, what: string): GateError {
  const reason: unknown = signal.reason;
  return reason instanceof GateError
    ? reason
    : new GateError("closed", "client", `Cannot ${what}: who asked gave up`, reason);
}
