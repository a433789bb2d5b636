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

/** What the numbers depend on, in words. */
export function surroundings(): string {
  const control = Deno.readTextFileSync(SETTING).trim();
  const where = Deno.env.get(INSIDE) ? "a network namespace of its own" : "this machine's own network";
  return `loopback of ${where}, congestion control ${control}`;
}
