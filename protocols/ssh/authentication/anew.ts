/**
 * What a login came by that the main thread alone can tell of, while it lasts: asked after each reload, and now and then. An
 * answer that nobody can give takes nothing away; it is asked for again.
 */
import { now, promiseResolved } from "../../../gate/engine/loop.ts";
import type { Refusal } from "../keys/fields.ts";
import type { Proof } from "./authentication.ts";

/** As long as a token that was right is believed elsewhere before it is verified again, ms. */
const HOLDS = 5 * 60_000;

export class Anew implements Disposable {
  readonly #question: NonNullable<Proof["anew"]>;
  readonly #lost: (why: string) => void;
  #knownAt = now;
  #asking = false;
  /** Rules changed while an answer was under way, which may be one by those before. */
  #again = false;
  #over = false;

  constructor(question: NonNullable<Proof["anew"]>, lost: (why: string) => void) {
    this.#question = question;
    this.#lost = lost;
  }

  askIfDue(): void {
    if (now - this.#knownAt >= HOLDS) this.ask();
  }

  ask(): void {
    if (this.#over) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    this.#knownAt = -Infinity; // until somebody could tell, it is due
    this.#question().then((refusal) => this.#told(refusal), () => this.#done());
    promiseResolved();
  }

  [Symbol.dispose](): void {
    this.#over = true;
  }

  #told(refusal: Refusal | undefined): void {
    if (refusal && !this.#over) return this.#lost(refusal.why);
    this.#knownAt = now;
    this.#done();
  }

  #done(): void {
    this.#asking = false;
    if (!this.#again) return;
    this.#again = false;
    this.ask();
  }
}
