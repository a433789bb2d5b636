/** SSH told apart and passed on: RFC 4253 4.2, where the client's first line begins with its version. */
import type { Protocol } from "../gate/contracts.ts";
import { passOn } from "./common/pass_on.ts";
import { sniffPrefix } from "./common/prefix.ts";

const VERSION = new TextEncoder().encode("SSH-");

export const ssh: Protocol = {
  naming: "nothing",
  sniff: (head) => sniffPrefix(head, VERSION),
  serve: passOn,
};
