/** What a process holds, by /proc. */
export interface ProcessState {
  readonly sockets: number;
  readonly pipes: number;
  /** Descriptors of other kinds: files, epoll, inotify and the like. */
  readonly others: number;
  /** Resident memory, bytes. */
  readonly memory: number;
  /** CPU time so far, seconds. */
  readonly cpu: number;
}

const PAGE = 4096, TICKS = 100;

export function processState(pid: number): ProcessState {
  const open = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return ""; // it was closed meanwhile
    }
  });
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
  const count = (kind: string) => open.filter((link) => link.startsWith(kind)).length;
  const sockets = count("socket:"), pipes = count("pipe:");
  return {
    sockets,
    pipes,
    others: open.filter((link) => link !== "").length - sockets - pipes,
    memory: Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]) * PAGE,
    cpu: (Number(stat[11]) + Number(stat[12])) / TICKS,
  };
}

/** Waits until it holds, at most `ms`; the last state either way. */
export async function settled(
  pid: number,
  is: (state: ProcessState) => boolean,
  ms: number,
): Promise<ProcessState> {
  const until = performance.now() + ms;
  for (;;) {
    const state = processState(pid);
    if (is(state) || performance.now() >= until) return state;
    await new Promise((done) => setTimeout(done, 50));
  }
}
