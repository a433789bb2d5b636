/** Answers to requests, in the order of the requests (RFC 4254 4, 5.4), however they come. */
export interface Answer {
  /** Once; `data` where the request's kind has some. */
  yes(data?: Uint8Array): void;
  no(): void;
}

/** Requests that may wait for their answers; behind these so many more are refused in their turn. */
export const MOST = 256, MOST_REFUSED = 4096;

/** What came of a request that is told when those before it are; the refusals right behind it. */
class Pending implements Answer {
  payload: Uint8Array | undefined;
  refused = 0;

  constructor(readonly answers: Answers) {}

  yes(data?: Uint8Array): void {
    this.#settle(this.answers.positive(data));
  }

  no(): void {
    this.#settle(this.answers.negative);
  }

  #settle(payload: Uint8Array): void {
    if (this.payload) return;
    this.payload = payload;
    this.answers.send();
  }
}

export class Answers {
  #pending: Pending[] = [];
  #refused = 0;

  /** How answers look, and where they go. */
  constructor(
    readonly positive: (data?: Uint8Array) => Uint8Array,
    readonly negative: Uint8Array,
    readonly out: (payload: Uint8Array) => void,
  ) {}

  /** To a request that came now; "refused": too many wait, and this one is told so in its turn; undefined: even for that. */
  next(): Answer | "refused" | undefined {
    const { length } = this.#pending;
    if (length >= MOST) {
      if (this.#refused === MOST_REFUSED) return undefined;
      this.#refused++;
      this.#pending[length - 1].refused++;
      return "refused";
    }
    const answer = new Pending(this);
    this.#pending.push(answer);
    return answer;
  }

  /** Those at the front that are there. */
  send(): void {
    while (this.#pending.length > 0 && this.#pending[0].payload) {
      const { payload, refused } = this.#pending.shift()!;
      this.#refused -= refused;
      this.out(payload!);
      for (let i = 0; i < refused; i++) this.out(this.negative);
    }
  }
}
