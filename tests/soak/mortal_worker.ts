/// <reference lib="deno.worker" />
/** An engine thread that a client can kill: everything the program speaks, and death. */
import { startEngine } from "../../gate/engine_thread.ts";
import { askHealth, protocols, proxyHeader, proxyProtocol } from "../../protocols/mod.ts";
import { death } from "../support/toy_death.ts";

startEngine({ protocols: { ...protocols, death }, askHealth, proxyHeader, proxyProtocol });
