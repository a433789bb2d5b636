/// <reference lib="deno.worker" />
/** An engine thread that speaks the toys besides what the program speaks. */
import { startEngine } from "../../gate/engine_thread.ts";
import { askHealth, proxyHeader, proxyProtocol } from "../../protocols/mod.ts";
import { protocolsWithToys } from "./toys.ts";

startEngine({ protocols: protocolsWithToys, askHealth, proxyHeader, proxyProtocol });
