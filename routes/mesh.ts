/** Names of the mesh: they live where a connection offers them, or nowhere. */
import type { Target } from "../gate/address.ts";
import type { Destination, Resolver } from "../gate/contracts.ts";
import type { MeshNames } from "../gate/mesh/registrations.ts";

/** It holds whoever is connected: engines know that themselves, ms. */
const LIFETIME = 24 * 3600_000;

/** Who asks for such a name is answered here, connected or not: it is no question to whoever comes next. */
export class ConnectedNames implements Resolver, Disposable {
  readonly #names: MeshNames;
  readonly #listening = new DisposableStack();

  constructor(names: MeshNames) {
    this.#names = names;
  }

  /** `target` in canonical form. */
  resolve(target: Target, _signal: AbortSignal): Promise<Destination | undefined> {
    if (!this.#names.owns(target.host)) return Promise.resolve(undefined);
    const endpoints = [{ address: target, layers: [], connected: true as const }];
    return Promise.resolve({ target, endpoints, source: "mesh", lifetime: LIFETIME });
  }

  onChange(changed: (names: readonly string[]) => void): void {
    this.#listening.use(this.#names.onOwned(changed));
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }
}
