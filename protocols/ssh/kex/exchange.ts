/** What a key exchange method is: how a secret comes of two shares. All of them hash with SHA-256. */

/** The client's side of one exchange: its share is out, the server's comes. */
export interface ClientSide extends Disposable {
  readonly share: Uint8Array;
  /** K as it is hashed, encoded; undefined: this is no share of a server. */
  secretWith(theirs: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
}

/** What a server makes of a client's share. */
export interface Answer {
  readonly share: Uint8Array;
  readonly secret: Uint8Array<ArrayBuffer>;
}

export interface Exchange {
  begin(): ClientSide;
  /** undefined: this is no share of a client. */
  answer(theirs: Uint8Array): Answer | undefined;
}
