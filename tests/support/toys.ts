import type { Protocols } from "../../gate/contracts.ts";
import { protocols } from "../../protocols/mod.ts";
import { death } from "./toy_death.ts";
import { mux } from "./toy_mux.ts";
import { node } from "./toy_node.ts";
import { xor } from "./toy_xor.ts";

export const protocolsWithToys: Protocols = { ...protocols, xor, mux, node, death };
