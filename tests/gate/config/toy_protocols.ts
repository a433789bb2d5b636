/** A registry of the facts alone that a configuration is checked against. */
import type { Protocols } from "../../../gate/contracts.ts";

const sniff = () => false;
const wrap = () => Promise.reject(new Error("nothing is dialed here"));

export const toyProtocols: Protocols = {
  socks: { naming: "target", authenticates: true, sniff, wrap },
  connect: { naming: "target", authenticates: true, sniff, wrap },
  tls: { naming: "serverName", sniff },
  http: { naming: "host", sniff },
  ssh: { naming: "nothing", sniff },
  mqtt: { naming: "nothing", sniff },
  stun: { naming: "nothing", sniff },
  tcp: { naming: "nothing" },
};
