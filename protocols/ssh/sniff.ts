/** SSH told apart: RFC 4253 4.2, where the client's first line begins with its version. */
import type { Verdict } from "../../gate/streams.ts";
import { sniffPrefix } from "../common/prefix.ts";

const VERSION = new TextEncoder().encode("SSH-");

export const sniffSsh = (head: Uint8Array): Verdict => sniffPrefix(head, VERSION);
