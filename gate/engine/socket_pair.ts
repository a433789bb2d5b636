/** Two ends of one connection within this process: bytes for another of its threads, under no name that anybody could dial. */
import { GateError } from "../errors.ts";
import { AF_UNIX, errnoName, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./layout.ts";
import { closeOwned, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";
import { Socket } from "./socket.ts";
import { errno, libc } from "./sys.ts";

const ends = new Int32Array(2), endBytes = new Uint8Array(ends.buffer);

/**
 * One end as an upstream of this thread, and the descriptor of the other, which is still its own. What closes one is an
 * end to the other, never a reset. Throws GateError `exhausted` where no descriptor is left for it.
 */
export function socketPair(): { readonly socket: Socket; readonly other: number } {
  const { one, other } = descriptorPair();
  try {
    return { socket: new Socket(one, "upstream", AF_UNIX), other };
  } catch (thrown) {
    closeOwned(one);
    closeOwned(other);
    throw thrown;
  }
}

/** Both ends as descriptors of this thread. Throws GateError `exhausted` as socketPair. */
export function descriptorPair(): { readonly one: number; readonly other: number } {
  if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, endBytes) < 0) {
    throw exhausted(errnoName(errno()));
  }
  const one = owned(ends[0]), other = owned(ends[1]);
  if (!isReserved(one) && !isReserved(other)) return { one, other };
  closeOwned(one);
  closeOwned(other);
  throw exhausted("no descriptor is left for connections");
}

const exhausted = (state: string) =>
  new GateError("exhausted", "gate", `Cannot reach another thread: ${state}`);
