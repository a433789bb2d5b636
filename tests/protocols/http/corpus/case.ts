/** The corpus of messages: each with what goes on of it, and what its sender is told. */
import type { Role } from "../../../support/http_codec.ts";

/**
 * "same": all of it goes on unchanged. A text: this goes on instead, and nothing is left. A number: nothing goes on
 * and the sender gets this status (an upstream's fault is 502 to its client). Else what went on before the rest was
 * refused, or before it stopped, waiting for more.
 */
export type Expected =
  | "same"
  | string
  | number
  | { readonly on: string; readonly refused?: number; readonly waiting?: number };

export type Case = readonly [name: string, bytes: string, expected: Expected];

export interface Chapter {
  readonly role: Role;
  readonly cases: readonly Case[];
}
