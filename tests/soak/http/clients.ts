/** A process of HTTP clients: blocking_client.ts has what it is told and says. */
import { runClients } from "../blocking_client.ts";
import { HTTP_KINDS } from "./kinds.ts";

runClients(import.meta.url, HTTP_KINDS);
