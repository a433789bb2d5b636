/**
 * Two network namespaces and a wire between them, for what loopback cannot do: a client whose packets are lost, or who
 * says it is somebody else. Files and unix sockets are those of this machine.
 */
import { find } from "../../scripts/clients.ts";
import { Child, run, succeed } from "./child.ts";

/** Addresses on the wire. */
export const GATE = "10.99.0.1", CLIENT = "10.99.0.2";
/** Addresses that the gate's machine believes to be behind the client's. */
export const STRANGERS = "10.98.0.0/16";
const LIFE = "600";

/** Whether this machine lets us; says so aloud where it does not. */
export async function canWire(): Promise<boolean> {
  const { code } = find("unshare") && find("nsenter") && find("ip")
    ? await run("unshare", [
      "--net",
      "ip",
      "link",
      "add",
      "name",
      "wire",
      "type",
      "veth",
      "peer",
      "name",
      "end",
    ])
    : { code: 1 };
  if (code === 0) return true;
  if (Deno.env.get("CI") === "true") throw new Error("Cannot test with a wire: not permitted here");
  console.error("SKIPPED what needs a wire: root, unshare, nsenter and ip");
  return false;
}

export class TwoMachines implements AsyncDisposable {
  private constructor(readonly gate: Child, readonly client: Child) {}

  static async start(): Promise<TwoMachines> {
    const machines = new TwoMachines(await machine(), await machine());
    try {
      await machines.#wire();
      return machines;
    } catch (thrown) {
      await machines[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Put before a program that runs on one of them. */
  static on({ pid }: Child): string[] {
    return ["nsenter", "-t", String(pid), "-n", "--"];
  }

  /** The client's end of the wire: nothing it sends arrives, nothing sent to it is answered. */
  async cut(): Promise<void> {
    await ip(this.client, "link", "set", "end", "down");
  }

  async mend(): Promise<void> {
    await ip(this.client, "link", "set", "end", "up");
  }

  async #wire(): Promise<void> {
    const peer = ["peer", "name", "end", "netns", String(this.client.pid)];
    await ip(this.gate, "link", "add", "name", "wire", "type", "veth", ...peer);
    for (const [on, device, address] of [[this.gate, "wire", GATE], [this.client, "end", CLIENT]] as const) {
      await ip(on, "address", "add", `${address}/24`, "dev", device);
      await ip(on, "link", "set", "lo", "up");
      await ip(on, "link", "set", device, "up");
    }
    await ip(this.gate, "route", "add", STRANGERS, "via", CLIENT);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.gate[Symbol.asyncDispose]();
  }
}

async function machine(): Promise<Child> {
  const child = new Child("unshare", ["--net", "sh", "-c", `echo there; exec sleep ${LIFE}`]);
  await child.line(/^there$/m);
  return child;
}

const ip = (on: Child, ...args: string[]) => {
  const [program, ...before] = TwoMachines.on(on);
  return succeed(program, [...before, "ip", ...args]);
};
