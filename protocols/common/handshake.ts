import type { Stream } from "../../gate/streams.ts";
import { asGateError } from "../../gate/errors.ts";

/**
 * The client's side of a handshake over a fresh stream: `speak` has it to itself until it returns. A failure closes
 * the stream; so does the signal, with a reset.
 */
export async function handshake(
  lower: () => Promise<Stream>,
  signal: AbortSignal,
  speak: (stream: Stream) => Promise<void>,
): Promise<Stream> {
  const stream = await lower();
  const abort = () => stream.abort(asGateError(signal.reason));
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    await speak(stream);
    return stream;
  } catch (thrown) {
    stream[Symbol.dispose]();
    throw signal.aborted ? asGateError(signal.reason) : thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
