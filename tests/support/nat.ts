/**
 * Four network namespaces of one small internet: a gate and a client on it, and a Pi at home behind a router that
 * masquerades, so that nobody comes in whom it did not ask for. Files and unix sockets are those of this machine, but for
 * what is mounted over them (`inside`).
 */
import { find } from "../../scripts/clients.ts";
import { Child, run, succeed } from "./child.ts";

/** On the internet: the gate, who uses it, and the router's outside. */
export const GATE = "198.18.7.1", CLIENT = "198.18.8.2";
/** At home: the Pi, at first and when its lease is another one. */
export const PI = "192.168.77.2", PI_MOVED = "192.168.77.3";
const OUTSIDE = { gate: "198.18.7.254", client: "198.18.8.254" }, HOME = "192.168.77.1";
const LIFE = "600";

/** Whether this machine lets us; says so aloud where it does not. */
export async function canRoute(): Promise<boolean> {
  const isThere = ["unshare", "nsenter", "ip", "iptables"].every(find);
  const tables = ["--net", find("iptables") ?? "", "-t", "nat", "-L"];
  const { code } = isThere ? await run("unshare", tables) : { code: 1 };
  if (code === 0) return true;
  if (Deno.env.get("CI") === "true") throw new Error("Cannot test behind NAT: not permitted here");
  console.error("SKIPPED what is behind NAT: it needs root, unshare, nsenter, ip and iptables");
  return false;
}

type Name = "gate" | "client" | "router" | "pi";

export class Internet implements AsyncDisposable {
  private constructor(readonly machines: Readonly<Record<Name, Child>>) {}

  static async start(): Promise<Internet> {
    const internet = new Internet({
      ...{ gate: await machine(), client: await machine() },
      ...{ router: await machine(), pi: await machine() },
    });
    try {
      await internet.#wire();
      return internet;
    } catch (thrown) {
      await internet[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Put before a program that runs there. */
  on(name: Name): string[] {
    return ["nsenter", "-t", String(this.machines[name].pid), "-n", "--"];
  }

  /** The same, with the files that are mounted there. */
  inside(name: Name): string[] {
    return ["nsenter", "-t", String(this.machines[name].pid), "-n", "-m", "--"];
  }

  /** A program there, to its end; throws where it fails. */
  at(name: Name, program: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const [enter, ...before] = this.on(name);
    return succeed(enter, [...before, find(program) ?? program, ...args]);
  }

  /** What is on its way between the Pi and everybody is lost, without a word to either. */
  async drop(): Promise<void> {
    await this.at("router", "iptables", "-I", "FORWARD", "-j", "DROP");
  }

  async pass(): Promise<void> {
    await this.at("router", "iptables", "-D", "FORWARD", "-j", "DROP");
  }

  /** Its lease is another one: connections from the old address are nobody's any more. */
  async move(): Promise<void> {
    await this.at("pi", "ip", "address", "delete", `${PI}/24`, "dev", "eth");
    await this.at("pi", "ip", "address", "add", `${PI_MOVED}/24`, "dev", "eth");
    await this.at("pi", "ip", "route", "add", "default", "via", HOME);
  }

  async #wire(): Promise<void> {
    for (const name of ["gate", "client", "router", "pi"] as const) {
      await this.at(name, "ip", "link", "set", "lo", "up");
    }
    await this.#connect("gate", GATE, OUTSIDE.gate);
    await this.#connect("client", CLIENT, OUTSIDE.client);
    await this.#connect("pi", PI, HOME);
    await this.at("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const outside of ["gate", "client"]) {
      const home = ["-s", "192.168.77.0/24", "-o", outside];
      await this.at("router", "iptables", "-t", "nat", "-A", "POSTROUTING", ...home, "-j", "MASQUERADE");
    }
    // Nobody comes in whom the home did not ask for.
    const news = ["-o", "pi", "-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED"];
    await this.at("router", "iptables", "-A", "FORWARD", ...news, "-j", "DROP");
  }

  /** A wire from a machine to the router, which is the way to everybody else. */
  async #connect(name: "gate" | "client" | "pi", address: string, router: string): Promise<void> {
    const peer = ["peer", "name", "eth", "netns", String(this.machines[name].pid)];
    await this.at("router", "ip", "link", "add", "name", name, "type", "veth", ...peer);
    await this.at("router", "ip", "address", "add", `${router}/24`, "dev", name);
    await this.at("router", "ip", "link", "set", name, "up");
    await this.at(name, "ip", "address", "add", `${address}/24`, "dev", "eth");
    await this.at(name, "ip", "link", "set", "eth", "up");
    await this.at(name, "ip", "route", "add", "default", "via", router);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of Object.values(this.machines)) await machine[Symbol.asyncDispose]();
  }
}

async function machine(): Promise<Child> {
  const child = new Child("unshare", ["--net", "--mount", "sh", "-c", `echo there; exec sleep ${LIFE}`]);
  await child.line(/^there$/m);
  return child;
}
