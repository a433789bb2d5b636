/** The processes of clients as one: started with their shares, heard until the last is over. */
import type { Share, Tally } from "./clients.ts";

const PROCESSES = 2, AT_ONCE = 160;
/** ms that they may take longer than they were told, for what is under way. */
const LATE = 60_000;

export type Work = Pick<Share, "doors" | "servers" | "connections" | "until" | "seed" | "rough">;

/** Makes the connections; `told` hears how many stand so far. What all of them did. */
export async function send(work: Work, told: (made: number) => void): Promise<Tally> {
  const tallies: (Tally | undefined)[] = [];
  const report = () => told(tallies.reduce((sum, tally) => sum + (tally ? madeOf(tally) : 0), 0));
  await Promise.all(Array.from({ length: PROCESSES }, async (_, i) => {
    const share: Share = {
      ...work,
      connections: Math.ceil(work.connections / PROCESSES),
      atOnce: AT_ONCE,
      seed: work.seed + i,
    };
    for await (const tally of run(share)) {
      tallies[i] = tally;
      report();
    }
  }));
  return sumOf(
    tallies.map((tally, i) => tally ?? broken(i)).map((tally, i) => tally.over ? tally : broken(i, tally)),
  );
}

async function* run(share: Share): AsyncGenerator<Tally> {
  const program = new URL("./clients.ts", import.meta.url).pathname;
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

export const madeOf = ({ made }: Tally): number => Object.values(made).reduce((sum, count) => sum + count, 0);

const broken = (process: number, tally?: Tally): Tally => ({
  made: tally?.made ?? {},
  failures: (tally?.failures ?? 0) + 1,
  complaints: [...tally?.complaints ?? [], `process ${process} of clients broke off`],
  over: true,
});

/** All of several tallies. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const made: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [kind, count] of Object.entries(tally.made)) made[kind] = (made[kind] ?? 0) + count;
  }
  return {
    made,
    failures: tallies.reduce((sum, { failures }) => sum + failures, 0),
    complaints: tallies.flatMap(({ complaints }) => complaints),
    over: true,
  };
}
