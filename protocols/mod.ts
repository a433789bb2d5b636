/** The registry: what the engine speaks. A key is a protocol's only name. */
import type { Protocols } from "../gate/contracts.ts";
import { connect } from "./connect.ts";
import { http } from "./http/mod.ts";
import { mqtt } from "./mqtt.ts";
import { socks } from "./socks/mod.ts";
import { ssh } from "./ssh.ts";
import { stun } from "./stun.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls/mod.ts";

export { askHealth } from "./http/health.ts";
export { proxyHeader, proxyProtocol } from "./proxy_protocol.ts";

export const protocols = { socks, connect, tls, http, ssh, mqtt, stun, tcp } satisfies Protocols;
