/** How many wait for something at once: so many in all, and of each source so many that none takes the places of all. */
import { sourceNetwork } from "./networks.ts";

export class Places {
  #taken = 0;
  /** By network. */
  readonly #ofSource = new Map<string, number>();

  constructor(readonly most: number, readonly mostOfSource: number) {}

  /** Whose places are all taken; undefined: there is one. `source`: an IP literal, or "unix"; absent: the gate itself. */
  lack(source: string | undefined): "all" | "source" | undefined {
    if (source !== undefined && this.#of(sourceNetwork(source)) >= this.mostOfSource) return "source";
    return this.#taken < this.most ? undefined : "all";
  }

  /** Runs with a place. */
  async during<T>(source: string | undefined, act: () => Promise<T>): Promise<T> {
    const network = source === undefined ? undefined : sourceNetwork(source);
    this.#taken++;
    if (network !== undefined) this.#ofSource.set(network, this.#of(network) + 1);
    try {
      return await act();
    } finally {
      this.#taken--;
      if (network !== undefined) this.#leave(network);
    }
  }

  #of(network: string): number {
    return this.#ofSource.get(network) ?? 0;
  }

  #leave(network: string): void {
    const left = this.#of(network) - 1;
    if (left > 0) this.#ofSource.set(network, left);
    else this.#ofSource.delete(network);
  }
}
