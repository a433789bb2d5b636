/** Which certificate a server name gets: the exact name, then a wildcard, whose `*` is one label (RFC 6125 6.4.3). */
import { hostMatches } from "./address.ts";

interface Named {
  /** Normal names, and `*.name`. */
  readonly names: readonly string[];
}

/** Where two certificates have a name, the first has it. */
export class CertificateIndex<C extends Named> {
  readonly #exact = new Map<string, C>();
  /** By what is behind the `*`. */
  readonly #below = new Map<string, C>();
  readonly #first: C | undefined;

  constructor(certificates: readonly C[]) {
    this.#first = certificates[0];
    for (const certificate of certificates) {
      for (const name of certificate.names) {
        const wildcard = name.startsWith("*."), map = wildcard ? this.#below : this.#exact;
        const key = wildcard ? name.slice(2) : name;
        if (!map.has(key)) map.set(key, certificate);
      }
    }
  }

  /** `name` is normal. A client that gave none gets the first certificate. */
  find(name: string | undefined): C | undefined {
    if (name === undefined) return this.#first;
    const dot = name.indexOf(".");
    return this.#exact.get(name) ?? (dot < 0 ? undefined : this.#below.get(name.slice(dot + 1)));
  }

  /** The certificate with this very name or wildcard. */
  of(name: string): C | undefined {
    return name.startsWith("*.") ? this.#below.get(name.slice(2)) : this.#exact.get(name);
  }

  /** Whether some name that the pattern (`name`, `*.name`, `*`) covers has a certificate. */
  covers(pattern: string): boolean {
    if (pattern === "*") return this.#first !== undefined;
    if (!pattern.startsWith("*.")) return this.find(pattern) !== undefined;
    return this.#exact.keys().some((name) => hostMatches(pattern, name)) ||
      this.#below.keys().some((name) => hostMatches(pattern, `x.${name}`));
  }
}
