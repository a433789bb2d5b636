/** Which coding of those that a route has a client would rather have (RFC 9110 12.5.3). */
import type { Coding } from "../../../gate/requests.ts";
import { KIND } from "../field_kinds.ts";
import { valueOf } from "../field_values.ts";
import type { MessageHead } from "../message_head.ts";

/** What is agreed; `identity`: content goes on as it is. */
export type Agreed = Coding | "identity";

const ELEMENT =
  /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;
/** Nobody who means it says more. */
const LONGEST = 1024;
/** The same few texts come again and again. */
const MOST_KEPT = 256;

/** Agrees with each client of a route; `offered`: in the order of preference. */
export function agreement(offered: readonly Coding[]): (head: MessageHead, bytes: Uint8Array) => Agreed {
  const kept = new Map<string, Agreed>();
  return (head, bytes) => {
    const value = acceptEncoding(head, bytes);
    if (value.length > LONGEST) return "identity";
    const agreed = kept.get(value) ?? negotiate(value, offered);
    if (kept.size < MOST_KEPT) kept.set(value, agreed);
    return agreed;
  };
}

/** Empty where there is none: whoever can decode anything says so. */
function acceptEncoding(head: MessageHead, bytes: Uint8Array): string {
  let value = "";
  for (
    let line = head.find(KIND.acceptEncoding);
    line >= 0;
    line = head.find(KIND.acceptEncoding, line + 1)
  ) {
    value += `${valueOf(head, bytes, line)},`;
  }
  return value;
}

/** The offered coding with the highest quality, of equal ones the first; none above that of `identity`: that one. */
export function negotiate(value: string, offered: readonly Coding[]): Agreed {
  const qualities = new Map<string, number>();
  for (const element of value.split(",")) {
    const [, name, quality = "1"] = ELEMENT.exec(element) ?? [];
    if (name === undefined) continue;
    const coding = name.toLowerCase();
    qualities.set(coding === "x-gzip" ? "gzip" : coding, Number(quality));
  }
  const others = qualities.get("*") ?? 0;
  let best: Agreed = "identity", highest = 0;
  for (const coding of offered) {
    const quality = qualities.get(coding) ?? others;
    if (quality <= highest) continue;
    best = coding;
    highest = quality;
  }
  return highest < (qualities.get("identity") ?? 0) ? "identity" : best;
}
