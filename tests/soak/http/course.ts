/** Requests through routes of every kind, in clear and over TLS. */
import { changeCertificate } from "../certificates.ts";
import type { Course } from "../course.ts";
import { HTTP_KINDS } from "./kinds.ts";
import { HTTP_DOORS, httpConfiguration, type HttpServers } from "./world.ts";

export const HTTP: Course<HttpServers> = {
  name: "http",
  unit: "requests",
  kinds: HTTP_KINDS,
  doors: HTTP_DOORS,
  clients: new URL("./clients.ts", import.meta.url),
  servers: new URL("./servers.ts", import.meta.url),
  processes: 1,
  atOnce: 24,
  spare: 150,
  configuration: httpConfiguration,
  change: changeCertificate,
};
