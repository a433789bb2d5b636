/**
 * What a client of an SSH agent says and hears (draft-ietf-sshm-ssh-agent): messages alone, whoever carries them over the
 * socket that $SSH_AUTH_SOCK names.
 */
import { encoded } from "../wire.ts";
import { concat, type Fields, readWhole, Refusal, strings } from "./fields.ts";

/** A key or a certificate that the agent signs with. */
export interface AgentKey {
  readonly blob: Uint8Array;
  readonly comment: string;
}

export type AgentAnswer =
  | { readonly kind: "keys"; readonly keys: readonly AgentKey[] }
  /** A signature blob: see verifySignature. */
  | { readonly kind: "signature"; readonly signature: Uint8Array }
  /** It has no such key, or somebody said no. */
  | { readonly kind: "failure" };

const FAILURE = 5, REQUEST_IDENTITIES = 11, IDENTITIES_ANSWER = 12, SIGN_REQUEST = 13, SIGN_RESPONSE = 14;
/** How a key of RSA signs; else it would take SHA-1. */
const FLAGS: Readonly<Record<string, number>> = { "rsa-sha2-256": 2, "rsa-sha2-512": 4 };
/** As OpenSSH's agent bounds its messages. */
const MOST_BYTES = 262144;
const MOST_KEYS = 2048, MOST_COMMENT = 8192;

/** Asks for all keys. */
export const askForKeys = (): Uint8Array<ArrayBuffer> => strings(Uint8Array.of(REQUEST_IDENTITIES));

/** Asks to sign; `algorithm` by its name in SSH, without the part that certificates add. */
export function askToSign(blob: Uint8Array, data: Uint8Array, algorithm: string): Uint8Array<ArrayBuffer> {
  const flags = encoded((to) => to.uint32(FLAGS[algorithm] ?? 0));
  return strings(concat(Uint8Array.of(SIGN_REQUEST), strings(blob, data), flags));
}

/** Reads one answer: how many bytes it has, or a number: so many are needed in all. */
export function readAgentAnswer(
  bytes: Uint8Array,
): { readonly used: number; readonly answer: AgentAnswer | Refusal } | number {
  if (bytes.length < 4) return 4;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), used = size + 4;
  if (size > MOST_BYTES) return { used: bytes.length, answer: new Refusal(`a message of ${size} bytes`) };
  if (bytes.length < used) return used;
  return { used, answer: readWhole(bytes.slice(4, used), answerOf) };
}

function answerOf(fields: Fields): AgentAnswer {
  const type = fields.byte();
  if (type === IDENTITIES_ANSWER) return { kind: "keys", keys: keysOf(fields) };
  if (type === SIGN_RESPONSE) return { kind: "signature", signature: fields.string() };
  fields.rest(); // an extension may say more of its failure
  if (type === FAILURE) return { kind: "failure" };
  throw new Refusal(`an answer of the type ${type}`);
}

function keysOf(fields: Fields): AgentKey[] {
  const count = fields.uint32();
  if (count > MOST_KEYS) throw new Refusal(`${count} keys, where ${MOST_KEYS} are the most`);
  return Array.from({ length: count }, () => ({ blob: fields.string(), comment: fields.text(MOST_COMMENT) }));
}
