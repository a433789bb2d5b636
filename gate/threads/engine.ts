/// <reference lib="deno.worker" />
/** The entry file of an engine thread: the registry goes in, the loop starts. */
import { startEngine } from "../engine_thread.ts";
import { askHealth, protocols, proxyHeader, proxyProtocol } from "../../protocols/mod.ts";

startEngine({ protocols, askHealth, proxyHeader, proxyProtocol });
