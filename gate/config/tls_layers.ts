/** Where routes meet TLS, and what becomes of it there: as gate/match.ts has it. */
import { CertificateIndex } from "../certificate_index.ts";
import type { Naming, Protocols } from "../contracts.ts";
import type { CertificateConfiguration, ListenerConfiguration, RouteConfiguration } from "./configuration.ts";
import { protocolsNaming } from "./naming.ts";
import type { Located, Part } from "./read.ts";

export interface TlsParts {
  readonly routes: Part<Located<RouteConfiguration>[]>;
  readonly listeners: Part<Map<string, Located<ListenerConfiguration>>>;
  readonly certificates: readonly CertificateConfiguration[];
  /** Nothing is wrong with any certificate. */
  readonly whole: boolean;
}

export class TlsLayers {
  /** Protocols whose clients name a server. */
  readonly byName: readonly string[];
  readonly index: CertificateIndex<Pick<CertificateConfiguration, "names">>;
  /** Listeners that speak TLS, and those of them where requests may be inside. */
  readonly #secure: readonly string[];
  readonly #requested: readonly string[];

  /** `issued`: names that have a certificate besides. */
  constructor(
    listeners: readonly ListenerConfiguration[],
    certificates: readonly CertificateConfiguration[],
    protocols: Protocols,
    issued: readonly string[] = [],
  ) {
    const speak = (naming: Naming) => {
      const able = protocolsNaming(naming, protocols);
      return ({ protocols }: ListenerConfiguration) => protocols.some((name) => able.includes(name));
    };
    const names = (all: ListenerConfiguration[]) => all.map(({ name }) => name);
    const secure = listeners.filter(speak("serverName"));
    this.byName = protocolsNaming("serverName", protocols);
    this.index = new CertificateIndex([...certificates, ...issued.length > 0 ? [{ names: issued }] : []]);
    this.#secure = names(secure);
    this.#requested = names(secure.filter(speak("host")));
  }

  static of(
    { listeners, certificates }: TlsParts,
    protocols: Protocols,
    issued?: readonly string[],
  ): TlsLayers {
    const all = Array.from(listeners.items.values(), ({ value }) => value);
    return new TlsLayers(all, certificates, protocols, issued);
  }

  /** The listeners on which it takes TLS, whatever it does with that. */
  listenersOf({ listener, protocol, http }: RouteConfiguration): readonly string[] {
    if (protocol !== undefined && (http || !this.byName.includes(protocol))) return [];
    const all = http ? this.#requested : this.#secure;
    return listener === undefined ? all : all.filter((name) => name === listener);
  }

  /** Whether TLS may end somewhere for requests. */
  get endsForRequests(): boolean {
    return this.#requested.length > 0;
  }

  /** Whether TLS would end for it with a certificate of its host. */
  mayEnd(route: RouteConfiguration): boolean {
    return route.tls !== undefined || route.http !== undefined && this.listenersOf(route).length > 0;
  }

  ends(route: RouteConfiguration): boolean {
    return route.tls !== undefined || this.mayEnd(route) && this.index.covers(route.host ?? "*");
  }
}

/** What a host would need for TLS to end. */
export const lacking = (host: string): string =>
  host === "*" ? "there is no certificate" : `no certificate has a name of ${host}`;
