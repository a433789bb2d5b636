/** A process of TLS clients: blocking_client.ts has what it is told and says. */
import { runClients } from "../blocking_client.ts";
import { TLS_KINDS } from "./kinds.ts";

runClients(import.meta.url, TLS_KINDS);
