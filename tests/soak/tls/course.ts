/** Handshakes of TLS, good and broken, while the certificate changes. */
import { changeCertificate } from "../certificates.ts";
import type { Course } from "../course.ts";
import { TLS_KINDS } from "./kinds.ts";
import { TLS_DOORS, tlsConfiguration, type TlsServers } from "./world.ts";

export const TLS: Course<TlsServers> = {
  name: "tls",
  unit: "handshakes",
  kinds: TLS_KINDS,
  doors: TLS_DOORS,
  clients: new URL("./clients.ts", import.meta.url),
  servers: new URL("./servers.ts", import.meta.url),
  processes: 1,
  atOnce: 16,
  spare: 0,
  mostContexts: 6, // of the three doors, of upstreams, and two that are spare
  configuration: tlsConfiguration,
  change: changeCertificate,
};
