/** What a client that has logged in may have forwarded (RFC 4254 7; PROTOCOL of OpenSSH, 2.4). */
import type { ConnectionEvents } from "../channels/connection.ts";
import type { Served } from "../served.ts";
import { Forwards } from "./forwards.ts";

/** Serves its channels and its requests, until the connection breaks. */
export const serveChannels = (served: Served): ConnectionEvents => new Forwards(served);
