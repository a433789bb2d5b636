/** How commands spell a gate, and what is forwarded to it: texts of the command line, wrong ones told as wrong usage. */
import { InvalidArgumentError } from "commander";
import { canonicalHost, isUnixHost, parseTarget, type Target } from "../address.ts";
import { HOST_IDENTITY, Mistake, readHostIdentity } from "../config/scalars.ts";
import type { Entrance } from "./through.ts";

export interface Via {
  readonly user?: string;
  readonly target: Target;
}

const SSH_PORT = 22;
const LOOPBACK = "127.0.0.1";

/** `[user@]host[:port]` */
export function readVia(text: string): Via {
  const at = text.lastIndexOf("@"), place = text.slice(at + 1), user = at < 0 ? undefined : text.slice(0, at);
  const bare = canonicalHost(place.replace(/^\[(.*)\]$/, "$1"));
  const target = bare === undefined ? parseTarget(place) : { host: bare, port: SSH_PORT };
  if (!target || user === "" || isUnixHost(target.host)) {
    throw new InvalidArgumentError("Expected [user@]host[:port] of a gate.");
  }
  return { user, target };
}

/** `host:port`, or `unix:/path` */
export function readDestination(text: string): Target {
  const target = parseTarget(text);
  if (target) return target;
  throw new InvalidArgumentError("Expected host:port, or unix:/path.");
}

export function readIdentityOption(text: string): string {
  const name = readHostIdentity(text);
  if (name instanceof Mistake) throw new InvalidArgumentError(`Expected ${HOST_IDENTITY}.`);
  return name;
}

/** `[bind:]port:host:hostport`, or `[bind:]port:/path` of a unix socket there; an address of v6 in brackets. */
export function readForward(text: string, before: readonly Entrance[] = []): readonly Entrance[] {
  const [, bind, port, there] =
    /^(?:(\[[^\]]+\]|[^:[\]/]*):)?([0-9]{1,5}):((?:\/|[^/]+:[0-9]+$).*)$/.exec(text) ??
      [];
  const to = there === undefined ? undefined : parseTarget(there.startsWith("/") ? `unix:${there}` : there);
  const address = port === undefined ? undefined : listening(bind, port);
  if (to && address) return [...before, { name: `-L ${text}`, address, to }];
  throw new InvalidArgumentError("Expected [bind:]port:host:hostport, or [bind:]port:/path.");
}

/** `[bind:]port` */
export function readDynamic(text: string, before: readonly Entrance[] = []): readonly Entrance[] {
  const [, bind, port] = /^(?:(\[[^\]]+\]|[^:[\]/]*):)?([0-9]{1,5})$/.exec(text) ?? [];
  const address = port === undefined ? undefined : listening(bind, port);
  if (address) return [...before, { name: `-D ${text}`, address }];
  throw new InvalidArgumentError("Expected [bind:]port.");
}

/** As OpenSSH reads it: no address is loopback, an empty one or `*` is every address. Port 0 takes a free one. */
function listening(bind: string | undefined, port: string): Target | undefined {
  const number = Number(port), everywhere = bind === "" || bind === "*";
  const named = bind === "localhost" || bind === undefined ? LOOPBACK : bind.replace(/^\[(.*)\]$/, "$1");
  const host = everywhere ? "" : canonicalHost(named);
  return host === undefined || number > 65535 ? undefined : { host, port: number };
}
