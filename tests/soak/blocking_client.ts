/**
 * A process of clients on threads that wait in the kernel, each one connection at a time: for courses whose gate has more
 * work with a connection than its client may have. It says what clients.ts says.
 */
import { seeded } from "../support/random.ts";
import type { Doors, KindFacts } from "./course.ts";
import type { Share } from "./crew.ts";
import { sumOf, type Tally } from "./tally.ts";

/** What a connection may use; `made` is called once it stands: from then on there has to be a record. */
export interface Scene<Servers> {
  readonly doors: Doors;
  readonly servers: Servers;
  readonly from: string;
  readonly random: () => number;
  readonly made: () => void;
  /** A request was answered as it should: where these are counted, a connection may have several. */
  readonly asked: () => void;
}

export interface Kind<Servers> extends KindFacts {
  /** How often it is made, beside others. */
  readonly weight: number;
  /** One connection from its first byte to its end. Throws where the gate did not do what is right. */
  act(scene: Scene<Servers>): void;
}

const MOST_COMPLAINTS = 20, LONGEST_COMPLAINT = 300, TELL_EVERY = 500;
/** Whether this runs as a thread of a process. */
const isThread = "WorkerGlobalScope" in globalThis;

/** Runs the program whose URL that is: as a process, and as each of its threads. */
export function runClients<Servers>(program: string, kinds: readonly Kind<Servers>[]): void {
  if (isThread) self.onmessage = ({ data }: MessageEvent<Share>) => work(data, kinds);
  else void lead(program, JSON.parse(Deno.args[0]));
}

async function lead(program: string, share: Share): Promise<void> {
  const tallies: Tally[] = [];
  const threads = Array.from({ length: share.atOnce }, (_, thread) => {
    const worker = new Worker(program, { type: "module" });
    const connections = Math.ceil(share.connections / share.atOnce);
    worker.postMessage({ ...share, connections, seed: share.seed * 1000 + thread });
    return new Promise<void>((over) => {
      worker.onmessage = ({ data }: MessageEvent<Tally>) => {
        tallies[thread] = data;
        if (data.over) over();
      };
    });
  });
  const tell = (over: boolean) =>
    console.log(JSON.stringify({ ...sumOf(tallies.filter((tally) => tally !== undefined)), over }));
  const telling = setInterval(() => tell(false), 1000);
  await Promise.all(threads);
  clearInterval(telling);
  tell(true);
  Deno.exit(0);
}

function work<Servers>(share: Share, kinds: readonly Kind<Servers>[]): void {
  const tally: Tally = { made: {}, asked: 0, failures: 0, complaints: [], over: false };
  const random = seeded(share.seed), weights = kinds.reduce((sum, { weight }) => sum + weight, 0);
  const drawn = () => {
    let left = random() * weights;
    return kinds.find(({ weight }) => (left -= weight) < 0) ?? kinds[0];
  };
  const { doors } = share, servers = share.servers as Servers;
  let told = 0;
  for (let left = share.connections; left > 0 && Date.now() < share.until;) {
    const { name, from, act } = drawn(), asked = tally.asked;
    const made = () => void (tally.made[name] = (tally.made[name] ?? 0) + 1);
    try {
      act({ doors, servers, from, random, made, asked: () => void tally.asked++ });
    } catch (thrown) {
      tally.failures++;
      if (tally.complaints.length < MOST_COMPLAINTS) {
        tally.complaints.push(`${name}: ${thrown}`.slice(0, LONGEST_COMPLAINT));
      }
    }
    left -= Math.max(1, tally.asked - asked);
    if (performance.now() - told > TELL_EVERY) {
      told = performance.now();
      self.postMessage(tally);
    }
  }
  self.postMessage({ ...tally, over: true });
}
