/** Listeners where a protocol ends here whose clients log in by files: no route takes it from there. */
import type { LoginReader } from "../identity/logins.ts";
import type { Protocols } from "../contracts.ts";
import type { Configuration, ListenerConfiguration, RouteConfiguration } from "./configuration.ts";

export interface EndingLogins {
  readonly listener: string;
  /** By its registry name. */
  readonly protocol: string;
  readonly reader: LoginReader;
}

/** One for each such listener. */
export function endingLogins(
  { listeners, routes }: Pick<Configuration, "listeners" | "routes">,
  protocols: Protocols,
): EndingLogins[] {
  return Object.values(listeners).flatMap((listener) => {
    const protocol = listener.protocols.find((name) =>
      protocols[name]?.logins && endsHere(name, listener, routes)
    );
    if (protocol === undefined) return [];
    return [{ listener: listener.name, protocol, reader: protocols[protocol].logins! }];
  });
}

/** Whether no route takes all of this protocol there: as gate/match.ts matches what names nothing. */
const endsHere = (
  protocol: string,
  { name }: Pick<ListenerConfiguration, "name">,
  routes: readonly RouteConfiguration[],
): boolean =>
  !routes.some((route) =>
    !route.http && route.host === undefined && (route.listener ?? name) === name &&
    (route.protocol ?? protocol) === protocol
  );
