/** A gate that is stopped and started again at the same ports, and the nodes that live with that. */
import { freePorts } from "../../scripts/free_ports.ts";
import { Child, type Folder } from "./child.ts";
import { connect, socks } from "./net.ts";
import { type ProcessState, processState, settled } from "./process_state.ts";
import { Program } from "./program.ts";
import { makeNodeKey } from "./ssh_node.ts";
import type { StormOrder } from "./ssh_storm_crew.ts";

const CREW = new URL("./ssh_storm_crew.ts", import.meta.url).pathname;
const NAME_PORT = 8080;
/** Visits at once; ms between two looks, and until descriptors are given back. */
const AT_ONCE = 20, LOOK_AGAIN = 100, QUIET_TIME = 20_000;

export class Storm implements AsyncDisposable {
  #program: Program | undefined;
  #crew: Child | undefined;

  private constructor(
    readonly folder: Folder,
    readonly order: StormOrder,
    readonly yaml: string,
    readonly orderFile: string,
  ) {}

  static async make(folder: Folder, count: number, threads: number): Promise<Storm> {
    const [port, proxy] = freePorts(2);
    const nodes = Array.from({ length: count }, (_, i) => ({ name: `node${i}.m`, key: makeNodeKey() }));
    const lines = nodes.map(({ name, key }) => `permitlisten="${name}:${NAME_PORT}" ${key.line}\n`);
    const keys = await folder.write("keys", lines.join(""));
    const order = { port, namePort: NAME_PORT, nodes };
    const yaml = `
node: { state: "${folder.path}/state" }
listeners:
  ssh: { address: "127.0.0.1:${port}", protocols: [ssh] }
  proxy: { address: "127.0.0.1:${proxy}", protocols: [socks] }
ssh: { authorizedKeys: ["${keys}"] }
discovery: [file, mesh]
limits: { perSource: ${count + 100} }
engine: { threads: ${threads} }
admin: { address: "127.0.0.1:0" }
`;
    return new Storm(folder, order, yaml, await folder.write("order.json", JSON.stringify(order)));
  }

  get state(): ProcessState {
    return processState(this.#program!.child.pid);
  }

  /** What the gate told of faults. */
  get faults(): readonly string[] {
    return this.#program!.faults;
  }

  async startGate(): Promise<void> {
    this.#program = await Program.start(this.yaml);
  }

  /** Its exit code, and how many lines it wrote. */
  async stopGate(): Promise<{ code: number; lines: number }> {
    const program = this.#program!;
    this.#program = undefined;
    await using _program = program;
    const code = await program.stop();
    return { code, lines: program.child.stderr.split("\n").length };
  }

  startCrew(): void {
    this.#crew = new Child(Deno.execPath(), ["run", "-A", CREW, this.orderFile]);
  }

  async endCrew(): Promise<void> {
    await this.#crew?.[Symbol.asyncDispose]();
    this.#crew = undefined;
  }

  /** Waits until each is connected under its name, at most `ms`; throws with how many are. */
  async whole(ms: number): Promise<void> {
    const late = performance.now() + ms;
    for (;;) {
      const named = await this.#named();
      if (named === this.order.nodes.length) return;
      if (performance.now() > late) {
        throw new Error(
          `${named} of ${this.order.nodes.length} nodes are back: ${this.#crew?.stderr.slice(-2000)}`,
        );
      }
      await new Promise((rested) => setTimeout(rested, LOOK_AGAIN));
    }
  }

  /** Names by which somebody else was reached, or nobody. */
  async wrong(): Promise<string[]> {
    const wrong: string[] = [], names = this.order.nodes.map(({ name }) => name);
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let name; (name = names.pop()) !== undefined;) {
        const told = await this.#visit(name).catch((thrown) => String(thrown));
        if (told !== name) wrong.push(`${name}: ${told}`);
      }
    }));
    return wrong;
  }

  /** Waits until the gate holds no more sockets than that. */
  rests(sockets: number): Promise<ProcessState> {
    return settled(this.#program!.child.pid, (state) => state.sockets <= sockets, QUIET_TIME);
  }

  async #visit(name: string): Promise<string> {
    await using client = await connect(this.#program!.port("proxy"));
    await socks(client, name, NAME_PORT);
    client.end();
    return await client.text();
  }

  async #named(): Promise<number> {
    const answer = await this.#program!.admin("/nodes?most=20000"), text = await answer.text();
    if (!answer.ok) return 0; // it has more to do just now
    const { nodes } = JSON.parse(text);
    return nodes.filter(({ names }: { names: string[] }) => names.length === 1).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endCrew();
    await this.#program?.[Symbol.asyncDispose]();
  }
}
