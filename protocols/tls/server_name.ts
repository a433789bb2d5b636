import type { Target } from "../../gate/address.ts";

/** TLS says no port: it is a service on 443, unless the name has Istio's form. */
const HTTPS = 443;
/** `outbound_.PORT_.SUBSET_.HOST` of Istio, and the Go programs' form without the underscore behind the port. */
const ISTIO = /^outbound_\.([1-9][0-9]{0,4})_?\.[^.]*_\.(.+)$/;

/** Whom a server name asks for. `name` is normal. */
export function serverNameTarget(name: string): Target {
  const istio = name.startsWith("outbound_.") ? ISTIO.exec(name) : null;
  const port = Number(istio?.[1] ?? 0);
  return istio && port <= 65535 ? { host: istio[2], port } : { host: name, port: HTTPS };
}
