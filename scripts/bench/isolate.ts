/**
 * The benchmark in a network namespace of its own, for root: nobody else's traffic or firewall rules, and congestion
 * control that does not pace. With BBR every sender on loopback waits for timers, which cost more than the gateways.
 */
import { find } from "../clients.ts";

const INSIDE = "UGATE_BENCH_ISOLATED";
const SETTING = "/proc/sys/net/ipv4/tcp_congestion_control";
const SET_UP = `ip link set lo up && echo reno > ${SETTING} && exec "$0" "$@"`;

/** Runs the command again inside; its exit code. undefined: it is inside already, or cannot get there. */
export async function isolate(script: string, args: readonly string[]): Promise<number | undefined> {
  if (Deno.env.get(INSIDE) || Deno.uid() !== 0) return undefined;
  const unshare = find("unshare");
  if (!unshare || !find("ip")) return undefined;
  const command = ["-n", "sh", "-c", SET_UP, Deno.execPath(), "run", "-A", script, ...args];
  const { code } = await new Deno.Command(unshare, { args: command, env: { [INSIDE]: "1" } }).spawn().status;
  return code;
}

/** What the numbers depend on, in words: the machine, the network, who was compared. */
export async function surroundings(): Promise<string> {
  const control = Deno.readTextFileSync(SETTING).trim();
  const where = Deno.env.get(INSIDE) ? "a network namespace of its own" : "this machine's own network";
  const versions = [`Deno ${Deno.version.deno}`, ...await Promise.all(["haproxy", "nginx"].map(version))];
  return `${versions.filter(Boolean).join(", ")}; ${navigator.hardwareConcurrency} CPUs, ` +
    `loopback of ${where}, ${control}; load before it ${LOAD_BEFORE.toFixed(1)}`;
}

/** Of the last minute, when this began: other work on the machine. */
const LOAD_BEFORE = Deno.loadavg()[0];

/** What a program calls itself with -v; empty: it is not here. */
async function version(program: string): Promise<string> {
  const path = find(program);
  if (!path) return "";
  const { stdout, stderr } = await new Deno.Command(path, { args: ["-v"] }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return `${program} ${/\d+\.\d+\.\d+/.exec(said)?.[0] ?? "of an unknown version"}`;
}
