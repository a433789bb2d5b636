/**
 * One process of clients: makes connections of every kind, so many at once, until they are enough or time is over. Its
 * argument is a Share; it prints a Tally a second, and the last one when it ends.
 */
import { seeded } from "../../support/random.ts";
import type { Tally } from "../tally.ts";
import type { Share as AnyShare } from "../crew.ts";
import { KINDS } from "./kinds.ts";
import type { Doors, Servers } from "./world.ts";

type Share = AnyShare<Servers> & { readonly doors: Doors };

const MOST_COMPLAINTS = 20, LONGEST_COMPLAINT = 300, PATIENCE = 20_000, ROUGH_PAUSE = 20;

const WEIGHTS = KINDS.reduce((sum, { weight }) => sum + weight, 0);

function drawn(random: () => number) {
  let left = random() * WEIGHTS;
  return KINDS.find(({ weight }) => (left -= weight) < 0) ?? KINDS[0];
}

async function inTime(work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not over within ${PATIENCE} ms`)), PATIENCE);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function work(share: Share, random: () => number, left: { connections: number }, tally: Tally) {
  while (left.connections-- > 0 && Date.now() < share.until) {
    const { name, from, act } = drawn(random);
    const made = () => void (tally.made[name] = (tally.made[name] ?? 0) + 1);
    try {
      await inTime(act({ doors: share.doors, servers: share.servers, from, random, made }));
    } catch (thrown) {
      tally.failures++;
      if (tally.complaints.length < MOST_COMPLAINTS) {
        tally.complaints.push(`${name}: ${thrown}`.slice(0, LONGEST_COMPLAINT));
      }
      if (share.rough) await new Promise((done) => setTimeout(done, ROUGH_PAUSE));
    }
  }
}

const share: Share = JSON.parse(Deno.args[0]);
const tally: Tally = { made: {}, asked: 0, failures: 0, complaints: [], over: false };
const random = seeded(share.seed), left = { connections: share.connections };
const telling = setInterval(() => console.log(JSON.stringify(tally)), 1000);
await Promise.all(Array.from({ length: share.atOnce }, () => work(share, random, left, tally)));
clearInterval(telling);
tally.over = true;
console.log(JSON.stringify(tally));
Deno.exit(0);
