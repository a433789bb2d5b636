/** Answers to requests, in the order of the requests (RFC 4254 4, 5.4), however they come. */
export interface Answer {
  /** Once; `data` where the request's kind has some. */
  yes(data?: Uint8Array): void;
  no(): void;
}

/** Requests that may wait for their answers. */
const MOST = 64;

class Pending implements Answer {
  payload: Uint8Array | undefined;

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

  /** How answers look, and where they go. */
  constructor(
    readonly positive: (data?: Uint8Array) => Uint8Array,
    readonly negative: Uint8Array,
    readonly out: (payload: Uint8Array) => void,
  ) {}

  /** To a request that came now; undefined: too many wait. */
  next(): Answer | undefined {
    if (this.#pending.length >= MOST) return undefined;
    const answer = new Pending(this);
    this.#pending.push(answer);
    return answer;
  }

  /** Those at the front that are there. */
  send(): void {
    while (this.#pending.length > 0 && this.#pending[0].payload) this.out(this.#pending.shift()!.payload!);
  }
}
