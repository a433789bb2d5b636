/** SSH told apart and passed on; and its client as a layer. */
import type { Protocol } from "../../gate/contracts.ts";
import { passOn } from "../common/pass_on.ts";
import { SshClient } from "./client/wrap.ts";
import { sniffSsh } from "./sniff.ts";

/** Of this thread. */
const client = new SshClient();

export const ssh: Protocol = {
  naming: "nothing",
  sniff: sniffSsh,
  serve: passOn,
  wrap: (...given) => client.wrap(...given),
  close: () => client.close(),
};
