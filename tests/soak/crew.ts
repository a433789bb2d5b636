/** The processes of clients as one: started with their shares, heard until the last is over. */
import type { Course, Doors } from "./course.ts";
import { madeOf, sumOf, type Tally } from "./tally.ts";

/** What a process of clients is to do: its argument, as JSON. It prints a Tally a second, and the last one when it ends. */
export interface Share<Servers = unknown> {
  readonly doors: Doors;
  readonly servers: Servers;
  readonly connections: number;
  readonly atOnce: number;
  /** When to stop even so, ms since the epoch. */
  readonly until: number;
  readonly seed: number;
  /** A gate whose threads die: connections may fail, and one that does waits a moment. */
  readonly rough: boolean;
}

/** One of those that are there at once makes so many after each other: a short soak is no storm. */
const AT_LEAST = 50;
/** ms that they may take longer than they were told, for what is under way. */
const LATE = 60_000;

export type Work = Omit<Share, "atOnce">;

/** Makes the connections; `told` hears how many stand so far. What all of them did. */
export async function send(
  { processes, atOnce, clients }: Course,
  work: Work,
  told: (made: number) => void,
): Promise<Tally> {
  const tallies: (Tally | undefined)[] = [];
  const report = () => told(tallies.reduce((sum, tally) => sum + (tally ? madeOf(tally) : 0), 0));
  await Promise.all(Array.from({ length: processes }, async (_, i) => {
    const share: Share = {
      ...work,
      connections: Math.ceil(work.connections / processes),
      atOnce: Math.min(atOnce, Math.ceil(work.connections / AT_LEAST)),
      seed: work.seed + i,
    };
    for await (const tally of run(clients, share)) {
      tallies[i] = tally;
      report();
    }
  }));
  return sumOf(
    tallies.map((tally, i) => tally ?? broken(i)).map((tally, i) => tally.over ? tally : broken(i, tally)),
  );
}

async function* run({ pathname: program }: URL, share: Share): AsyncGenerator<Tally> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, JSON.stringify(share)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const late = setTimeout(() => child.kill("SIGKILL"), share.until + LATE - Date.now());
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
  clearTimeout(late);
  await child.status;
}

const broken = (process: number, tally?: Tally): Tally => ({
  made: tally?.made ?? {},
  asked: tally?.asked ?? 0,
  failures: (tally?.failures ?? 0) + 1,
  complaints: [...tally?.complaints ?? [], `process ${process} of clients broke off`],
  over: true,
});
