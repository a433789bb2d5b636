/** A process and those that it made: sshd has one or two for each connection. */

/** Kernel clock ticks per second: USER_HZ is 100 on every Linux. */
const TICKS = 100;

interface Stat {
  readonly parent: number;
  /** CPU seconds of its threads, and of its children that have ended and were waited for. */
  readonly cpu: number;
}

/** proc_pid_stat(5): fields 4 and 14 to 17; undefined: it has ended. */
function statOf(pid: number): Stat | undefined {
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), cpu: ticks / TICKS };
  } catch {
    return undefined;
  }
}

/** It, and all below it. */
function treeOf(root: number): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = /^\d+$/.test(name) ? Number(name) : -1, stat = pid < 0 ? undefined : statOf(pid);
    if (stat) stats.set(pid, stat);
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at; at = stats.get(at)?.parent) if (at === root) return true;
    return false;
  };
  return new Map([...stats].filter(([pid]) => isBelow(pid)));
}

/** CPU seconds of all of them so far. */
export const treeCpu = (root: number): number => treeOf(root).values().reduce((sum, { cpu }) => sum + cpu, 0);

/** Their proportional set size (proc_pid_smaps(5)) in KiB. */
export const treeMemory = (root: number): number =>
  treeOf(root).keys().reduce((sum, pid) => sum + memoryOf(pid), 0);

/** 0: it has ended. */
function memoryOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return 0;
    throw thrown;
  }
}
