/// <reference lib="deno.worker" />
/** An engine thread that a client can kill, or ask for its census: everything the program speaks, and these. */
import { startEngine } from "../../gate/engine_thread.ts";
import { askHealth, protocols, proxyHeader, proxyProtocol } from "../../protocols/mod.ts";
import { census } from "../support/toy_census.ts";
import { death } from "../support/toy_death.ts";

startEngine({ protocols: { ...protocols, death, census }, askHealth, proxyHeader, proxyProtocol });
