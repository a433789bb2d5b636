/** Plain forwards and balancing: nothing is looked at, the route decides. */
import type { Protocol } from "../gate/contracts.ts";
import { passOn } from "./common/pass_on.ts";

export const tcp: Protocol = { naming: "nothing", serve: passOn };
