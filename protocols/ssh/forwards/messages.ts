/** What belongs to each kind of forward: read from requests, written into those of our own. */
import type { Target } from "../../../gate/address.ts";
import type { Reader } from "../wire.ts";
import { encoded } from "../wire.ts";

export const DIRECT_TCPIP = "direct-tcpip", FORWARDED_TCPIP = "forwarded-tcpip";
export const DIRECT_STREAMLOCAL = "direct-streamlocal@openssh.com",
  FORWARDED_STREAMLOCAL = "forwarded-streamlocal@openssh.com";
export const TCPIP_FORWARD = "tcpip-forward", CANCEL_TCPIP_FORWARD = "cancel-tcpip-forward";
export const STREAMLOCAL_FORWARD = "streamlocal-forward@openssh.com",
  CANCEL_STREAMLOCAL_FORWARD = "cancel-streamlocal-forward@openssh.com";

/** Octets of a host, an address to listen on, a path: none that is longer leads anywhere. */
const LONGEST = 255;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Somewhere to listen, in the client's spelling: in which it is told of who came in. */
export interface Bind {
  /** As it came. */
  readonly octets: Uint8Array;
  readonly text: string;
}

/** Where a channel is to lead; undefined: it is broken. */
export function readDirect(type: string, from: Reader): Target | undefined {
  const isPath = type === DIRECT_STREAMLOCAL, place = readText(from);
  const port = isPath ? 0 : from.uint32();
  from.skipString(); // who connected there, as the client says; of a path nothing
  from.uint32();
  if (!from.whole || place === undefined) return undefined;
  return isPath ? { host: `unix:${place}`, port } : { host: place, port };
}

/** undefined: it is broken. */
export function readBind(from: Reader): Bind | undefined {
  const octets = from.string().slice(), text = decoded(octets);
  return from.failed || text === undefined ? undefined : { octets, text };
}

/** For `port`, as the client knows it. */
export const forwardedTcpip = ({ octets }: Bind, port: number, from: Target): Uint8Array =>
  encoded((to) => to.string(octets).uint32(port).text(from.host).uint32(from.port));

export const forwardedStreamlocal = ({ octets }: Bind): Uint8Array =>
  encoded((to) => to.string(octets).text(""));

function readText(from: Reader): string | undefined {
  const text = decoded(from.string());
  return from.failed ? undefined : text;
}

function decoded(octets: Uint8Array): string | undefined {
  if (octets.length > LONGEST) return undefined;
  try {
    return strict.decode(octets);
  } catch {
    return undefined;
  }
}
