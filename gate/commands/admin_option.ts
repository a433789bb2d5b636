/** What `--admin` and `$UGATE_ADMIN` may say. Every command loads this, so it loads little. */
import { isUnixHost, parseTarget, type Target } from "../address.ts";
import { LISTEN, Mistake, readListen } from "../config/scalars.ts";

/** An address of `--admin`: as in a configuration, or a name with a port, or `http://` in front. */
export function readAdmin(text: string): Target | Mistake {
  const plain = text.replace(/^http:\/\//, "").replace(/\/$/, "");
  if (text.startsWith("unix:@")) return new Mistake("the path of a unix socket: abstract ones have no mode");
  const target = parseTarget(plain) ?? readListen(plain);
  if (target instanceof Mistake) return target.got ? target : new Mistake(LISTEN);
  if (target.port === 0 && !isUnixHost(target.host)) return new Mistake("a port from 1 to 65535");
  return reachable(target);
}

/** Who listens on all addresses is reached on loopback. */
export function reachable({ host, port }: Target): Target {
  if (host === "" || host === "0.0.0.0") return { host: "127.0.0.1", port };
  return { host: host === "::" ? "::1" : host, port };
}
