/** MQTT told apart by its CONNECT packet and passed on: 3.1, 3.1.1 (OASIS, 3.1) and 5 (OASIS, 3.1). */
import type { Protocol } from "../gate/contracts.ts";
import type { Verdict } from "../gate/streams.ts";
import { passOn } from "./common/pass_on.ts";

const CONNECT = 0x10;
/** Protocol name with its length, and the levels spoken under it. */
const MQTT = { bytes: new TextEncoder().encode("\x00\x04MQTT"), levels: [4, 5] };
const MQISDP = { bytes: new TextEncoder().encode("\x00\x06MQIsdp"), levels: [3] };
/** Bridges of mosquitto mark themselves in the level's highest bit. */
const LEVEL = 0x7f;
/** What follows the level at least: flags, keep-alive, and the length of a client identifier. */
const AFTER_LEVEL = 5;

function sniffMqtt(head: Uint8Array): Verdict {
  if (head.length === 0) return 2;
  if (head[0] !== CONNECT) return false;
  let remaining = 0;
  for (let at = 1; at <= 4; at++) {
    if (at === head.length) return at + 1;
    remaining += (head[at] & 0x7f) * 128 ** (at - 1);
    if (head[at] < 0x80) return sniffVariableHeader(head, at + 1, remaining);
  }
  return false; // a remaining length has four bytes at most
}

function sniffVariableHeader(head: Uint8Array, from: number, remaining: number): Verdict {
  const version = head.length > from + 1 && head[from + 1] === MQISDP.bytes[1] ? MQISDP : MQTT;
  const { bytes, levels } = version;
  for (let at = 0; at < bytes.length; at++) {
    if (from + at === head.length) return from + bytes.length + 1;
    if (head[from + at] !== bytes[at]) return false;
  }
  const level = from + bytes.length;
  if (remaining < bytes.length + 1 + AFTER_LEVEL) return false;
  return head.length === level ? level + 1 : levels.includes(head[level] & LEVEL);
}

export const mqtt: Protocol = { naming: "nothing", sniff: sniffMqtt, serve: passOn };
