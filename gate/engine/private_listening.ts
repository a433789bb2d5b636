/** Listening sockets of one engine alone: those that its clients ask for. */
import { isUnixHost, type Target } from "../address.ts";
import { GateError } from "../errors.ts";
import { type Accepting, Acceptor } from "./acceptor.ts";
import { listenAnew, listenOn } from "./bind.ts";
import { disown, owned } from "./owned.ts";
import { isReserved } from "./reserve.ts";

export interface PrivateListening {
  readonly address: Target;
  /** Who is in its queue is reset. Once; later calls do nothing. */
  close(): void;
}

/**
 * `target` is an IP literal, or a unix socket where nothing is yet, which only the gate's user may open. Throws GateError
 * with the reason in words.
 */
export function listenPrivately(target: Target, owner: Accepting): PrivateListening {
  const { fd, address, close } = isUnixHost(target.host) ? listenAnew(target) : listenOn(target);
  owned(fd);
  const release = () => {
    disown(fd);
    close();
  };
  if (isReserved(fd)) {
    release();
    throw new GateError("exhausted", "gate", "Cannot listen: no descriptor is left for it");
  }
  try {
    const acceptor = new Acceptor(fd, owner);
    return { address, close: once(acceptor, release) };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

/** The number of a closed descriptor may be somebody else's at once. */
function once(acceptor: Acceptor, release: () => void): () => void {
  let isClosed = false;
  return () => {
    if (isClosed) return;
    isClosed = true;
    acceptor.close();
    release();
  };
}
