/** What tests of attacks share: what the gate counts, a friend who is to be served meanwhile, and an end as before. */
import type { Status } from "../../gate/operations.ts";
import { equal, ok } from "./assert.ts";
import { connect } from "./net.ts";
import { type ProcessState, processState, settled } from "./process_state.ts";
import type { Program } from "./program.ts";

/** How long an attack that knows no other end goes on: `deno task attacks` sets the long form. */
export const ATTACK_SECONDS = Number(Deno.env.get("UGATE_ATTACK_SECONDS") ?? 5);
/** A friend waits no longer than this, ms: it bounds the waiting, and says nothing of speed. */
export const FRIEND_TIME = 10_000;
/** ms until what is over has been given back. */
const SETTLE_TIME = 10_000;

export async function statusOf(program: Program): Promise<Status> {
  return await (await program.admin("/status")).json();
}

/** Rejects where it takes longer than a friend waits. */
export async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${what}: not within ${FRIEND_TIME} ms`)),
    FRIEND_TIME,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Says `text` from 127.0.0.2 and hears the same: whoever is behind that port sends back what it gets. */
export async function echoed(port: number, text: string): Promise<void> {
  const served = async () => {
    await using client = await connect(port, "127.0.0.1", "127.0.0.2");
    await client.write(text);
    client.end();
    equal(await client.text(), text);
  };
  await inTime(`an echo of ${JSON.stringify(text)}`, served());
}

/** Does `act` again and again until the attack is over; how often. The attack's failure counts first. */
export async function meanwhile(attack: Promise<unknown>, act: () => Promise<void>): Promise<number> {
  let over = false, times = 0;
  const ended = attack.finally(() => over = true);
  ended.catch(() => {}); // told below
  try {
    for (; !over; times++) await act();
  } finally {
    await ended;
  }
  return times;
}

/** The number once it is as small as `most`, or as it is when everything should be settled. */
export async function fallen(count: () => Promise<number>, most: number, ms = SETTLE_TIME): Promise<number> {
  const late = performance.now() + ms;
  for (;;) {
    const now = await count();
    if (now <= most || performance.now() > late) return now;
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** What it holds now is what it held before: sockets, and memory up to `most` MiB more; nobody is counted any more. */
export async function asBefore(program: Program, before: ProcessState, most: number): Promise<void> {
  const { pid } = program.child;
  equal(await fallen(async () => (await statusOf(program)).connections, 0), 0);
  const { sockets } = await settled(pid, (now) => now.sockets <= before.sockets, SETTLE_TIME);
  ok(sockets <= before.sockets, `${sockets} sockets are open, before ${before.sockets}`);
  grownBy(pid, before, most);
}

/** Memory is bounded: so many MiB more than before at most. Tells how many they are. */
export function grownBy(pid: number, before: ProcessState, most: number): void {
  const { memory } = processState(pid), grown = (memory - before.memory) / (1 << 20);
  console.log(`resident: ${(memory / (1 << 20)).toFixed(0)} MiB, ${grown.toFixed(1)} more than before`);
  ok(grown < most, `memory grew by ${grown.toFixed(1)} MiB, which is more than ${most}`);
}

/** The state of a program that has answered on its admin page once: that connection stays. */
export async function stateBefore(program: Program): Promise<ProcessState> {
  await statusOf(program);
  return processState(program.child.pid);
}
