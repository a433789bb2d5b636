/** SSH told apart and passed on. */
import type { Protocol } from "../../gate/contracts.ts";
import { passOn } from "../common/pass_on.ts";
import { sniffSsh } from "./sniff.ts";

export const ssh: Protocol = { naming: "nothing", sniff: sniffSsh, serve: passOn };
