/**
 * Names that somebody may not have, or that went over from a connection that is still there, as the log tells them: each
 * once a minute, and not many, for who wants another's name may ask for ever. Pure; its caller has the clock.
 */
import { formatTarget } from "../address.ts";
import type { Message } from "../log.ts";
import type { Registering } from "./registrations.ts";

/** Which name, and who wants it. */
type Asked = Pick<Registering, "name" | "port" | "identity">;

/** ms; lines within that time. */
const MINUTE = 60_000, MOST = 64;

export class NameLog {
  /** When each was told. */
  readonly #told = new Map<string, number>();

  /** `now` in ms; undefined: nothing is to be told. */
  refused(asked: Asked, why: string, now: number): Message | undefined {
    return this.#message("warn", asked, why, now);
  }

  takenOver(asked: Asked, now: number): Message | undefined {
    const text = `${placeOf(asked)} went over to another connection of its key`;
    return this.#message("info", asked, text, now);
  }

  #message(level: Message["level"], asked: Asked, text: string, now: number): Message | undefined {
    const target = placeOf(asked), identity = asked.identity.name, key = `${level} ${target} ${identity}`;
    for (const [one, at] of this.#told) if (now - at >= MINUTE) this.#told.delete(one);
    if (this.#told.has(key) || this.#told.size >= MOST) return undefined;
    this.#told.set(key, now);
    return { level, event: "name", text, fields: { target, identity } };
  }
}

const placeOf = ({ name, port }: Asked): string => formatTarget({ host: name, port });
