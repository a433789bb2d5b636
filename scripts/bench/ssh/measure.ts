/** What is measured of a server of SSH: loads through forwards of OpenSSH's client, logins, and nodes that are connected. */
import type { Done } from "../load.ts";
import { jobFor } from "../measure.ts";
import { Child } from "../process.ts";
import type { Figure } from "../table.ts";
import type { Upstream } from "../upstream.ts";
import type { Mode } from "../wire.ts";
import { type Forward, local, reverse, sshOptions } from "./client.ts";
import { treeCpu, treeMemory } from "./process_tree.ts";
import type { Keys, SshServer } from "./servers.ts";

export interface SshContender {
  readonly server: SshServer;
  readonly keys: Keys;
  readonly upstream: Upstream;
  /** Where clients may have the server listen. */
  readonly reversePort: number;
}

export interface SshMeasurement {
  readonly name: string;
  measure(who: SshContender, seconds: number): Promise<Figure[]>;
}

/** Clients that log in at one time, and nodes that stay. */
const LOGGING_IN = 4;
export const NODES = 200;
/** ms until what was freed is given back, and those who log in are in. */
const SETTLING = 3000;

type Way = "-L" | "-R";

const through = (way: Way, { keys, server, upstream, reversePort }: SshContender): Promise<Forward> =>
  way === "-L" ? local(keys, server, upstream.port) : reverse(keys, server, reversePort, upstream.port);

/** A load through one connection's forward; CPU seconds are the server's. */
async function load(
  way: Way,
  who: SshContender,
  job: { mode: Mode; threads: number; seconds: number },
): Promise<{ done: Done; spent: number }> {
  await using forward = await through(way, who);
  const { child } = who.server, before = treeCpu(child.pid);
  const work = jobFor("forward", forward.port, who.upstream, { ...job, count: 0 });
  await using process = Child.script("load.ts", JSON.stringify(work));
  const done: Done = JSON.parse(await process.line(job.seconds * 1000 + 30_000));
  const spent = treeCpu(child.pid) - before;
  if (done.failures > done.connections / 100) {
    throw new Error(`Cannot measure ${who.server.name}: ${done.failures} of its channels failed`);
  }
  return { done, spent };
}

function bulk(way: Way, up: boolean, threads: number): SshMeasurement {
  const channels = `${threads} channel${threads > 1 ? "s" : ""}`;
  const name = `ssh ${way} ${up ? "up" : "down"}, ${channels}`;
  return {
    name,
    async measure(who, seconds) {
      const { done, spent } = await load(way, who, { mode: up ? "swallow" : "pour", threads, seconds });
      const gigabytes = done.bytes / 1e9;
      return [
        { name, unit: "Gbit/s", value: gigabytes * 8 / done.seconds },
        { name, unit: "CPU s/GB", value: spent / gigabytes },
      ];
    },
  };
}

const channels: SshMeasurement = {
  name: "ssh new channels",
  async measure(who, seconds) {
    const { done, spent } = await load("-L", who, { mode: "answer", threads: 16, seconds });
    return [
      { name: this.name, unit: "1/s", value: done.connections / done.seconds },
      { name: this.name, unit: "CPU us each", value: spent / done.connections * 1e6 },
    ];
  },
};

const latency: SshMeasurement = {
  name: "ssh request and answer",
  async measure(who, seconds) {
    const { done } = await load("-L", who, { mode: "echo", threads: 1, seconds });
    return [
      { name: this.name, unit: "p50 us", value: done.p50! },
      { name: this.name, unit: "p99 us", value: done.p99! },
    ];
  },
};

/** One after the other in a few lines: connect, exchange keys, log in, one channel that the sink refuses, end. */
const logins: SshMeasurement = {
  name: "ssh logins",
  async measure({ server, keys, upstream }, seconds) {
    const args = [...sshOptions(keys, server), "-W", `127.0.0.1:${upstream.port}`, "root@127.0.0.1"];
    const before = treeCpu(server.child.pid), began = performance.now(), until = began + seconds * 1000;
    let count = 0;
    const line = async () => {
      while (performance.now() < until) {
        await new Deno.Command("ssh", { args, stdin: "null", stdout: "null", stderr: "null" }).output();
        count++;
      }
    };
    await Promise.all(Array.from({ length: LOGGING_IN }, line));
    const elapsed = (performance.now() - began) / 1000;
    return [
      { name: this.name, unit: "1/s", value: count / elapsed },
      { name: this.name, unit: "CPU ms each", value: (treeCpu(server.child.pid) - before) / count * 1000 },
    ];
  },
};

/** Nodes that are connected and do nothing. */
const nodes: SshMeasurement = {
  name: "ssh idle node",
  async measure({ server, keys }) {
    const before = treeMemory(server.child.pid);
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < NODES; i++) {
      clients.use(new Child("ssh", "ssh", ["-N", ...sshOptions(keys, server), "root@127.0.0.1"]));
      if (i % 10 === 9) await new Promise((rested) => setTimeout(rested, 200));
    }
    await new Promise((rested) => setTimeout(rested, SETTLING));
    const value = (treeMemory(server.child.pid) - before) / NODES;
    return [{ name: this.name, unit: "KiB", value }];
  },
};

export const SSH_MEASUREMENTS: readonly SshMeasurement[] = [
  ...(["-L", "-R"] as const).flatMap((way) =>
    [1, 8].flatMap((threads) => [bulk(way, true, threads), bulk(way, false, threads)])
  ),
  channels,
  latency,
  logins,
  nodes,
];
