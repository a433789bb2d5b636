/**
 * The process of clients of SSH: all of them on one loop of the engine, which has no timers and promises of the runtime.
 * Its argument is a Share; it prints a Tally a second, and the last one when it ends.
 */
import { after, onFault, promiseResolved, run } from "../../../gate/engine/loop.ts";
import { prepareHybrid } from "../../../protocols/ssh/kex/exchanges.ts";
import { pause } from "../../support/on_loop.ts";
import { seeded } from "../../support/random.ts";
import { signer } from "../../support/ssh_node.ts";
import type { Share as AnyShare } from "../crew.ts";
import type { Tally } from "../tally.ts";
import { type Me, SSH_KINDS } from "./kinds.ts";
import type { SshServers } from "./world.ts";

type Share = AnyShare<SshServers>;

const MOST_COMPLAINTS = 20, LONGEST_COMPLAINT = 300, PATIENCE = 10_000, ROUGH_PAUSE = 20;

const WEIGHTS = SSH_KINDS.reduce((sum, { weight }) => sum + weight, 0);

function drawn(random: () => number) {
  let left = random() * WEIGHTS;
  return SSH_KINDS.find(({ weight }) => (left -= weight) < 0) ?? SSH_KINDS[0];
}

function inTime(work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = after(PATIENCE, () => {
      promiseResolved();
      reject(new Error(`not over within ${PATIENCE} ms`));
    });
    work.then(resolve, reject).finally(cancel);
  });
}

async function work({ servers, doors, until, rough }: Share, at: number): Promise<void> {
  const { name, port, key } = servers.people[at];
  const me: Me = { name, port, key: signer(key) };
  while (left-- > 0 && Date.now() < until) {
    const kind = drawn(random);
    const made = (name = kind.name) => void (tally.made[name] = (tally.made[name] ?? 0) + 1);
    const opened: (() => void)[] = [];
    try {
      await inTime(kind.act({ doors, servers, me, own, from: kind.from, random, made, opened }));
    } catch (thrown) {
      tally.failures++;
      if (tally.complaints.length < MOST_COMPLAINTS) {
        tally.complaints.push(`${kind.name}: ${thrown}`.slice(0, LONGEST_COMPLAINT));
      }
      if (rough) await pause(ROUGH_PAUSE);
    }
    for (const close of opened) close();
  }
}

const tell = () => console.log(JSON.stringify(tally));

function telling(): void {
  after(1000, () => {
    tell();
    telling();
  });
}

const share: Share = JSON.parse(Deno.args[0]);
const tally: Tally = { made: {}, asked: 0, failures: 0, complaints: [], over: false };
const random = seeded(share.seed);
const own = { admin: signer(share.servers.admin), stranger: signer(share.servers.stranger) };
let left = share.connections;
onFault((what, thrown) => {
  tally.failures++;
  tally.complaints.push(`${what}: ${thrown instanceof Error ? thrown.stack : thrown}`);
});
await prepareHybrid();
promiseResolved();
void run();
telling();
await Promise.all(Array.from({ length: share.atOnce }, (_, at) => work(share, at)));
tally.over = true;
tell();
Deno.exit(0);
