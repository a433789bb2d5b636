/** Channels of the type `session` of one connection. */
import type { Opening } from "../channels/opening.ts";
import { SHORTAGE } from "../numbers.ts";
import { type Owner, Session } from "./session.ts";
import type { Here } from "./ways.ts";

/** The type of the channels. */
export const SESSION = "session";
/** Of a connection at once: a person looks at one. */
const MOST_SESSIONS = 10;

export class Sessions {
  readonly #owner: Owner;
  readonly #open = new Set<Session>();

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** Accepts the channel, or refuses it. */
  opens(opening: Opening): void {
    if (this.#open.size >= MOST_SESSIONS) return opening.refuse(SHORTAGE, "too many sessions");
    const session = new Session(opening.accept(), this.#owner, hereOf(this.#owner), () => {
      this.#open.delete(session);
    });
    this.#open.add(session);
  }

  /** The gate stops: what is shown without an end ends now. */
  stop(): void {
    for (const session of [...this.#open]) session.leave();
  }
}

/** Where nothing tells how others call it, they have to know. */
const UNKNOWN = { host: "GATE", port: 22 };

function hereOf({ conn, gate }: Owner): Here {
  const { host, port } = conn.localAddress ?? UNKNOWN;
  const doorFor: Here["doorFor"] = (protocol, usual) => gate.doorFor(protocol, usual, conn);
  return { host: gate.ownName ?? host, port, doorFor };
}
