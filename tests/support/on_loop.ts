/**
 * Runs a test's work on the engine's loop, on the test's own thread. The loop blocks while nothing happens on its own
 * sockets, so the work uses streams of the engine and pause(): the runtime's own sockets and timers lag meanwhile.
 */
import { LINGER_TIME } from "../../gate/engine/linger.ts";
import { after, onFault, promiseResolved, run, stop } from "../../gate/engine/loop.ts";
import { socketsOf } from "./descriptors.ts";

/**
 * How long one may take, what was closed may linger (one layer behind the other, on a machine under load), and sockets
 * of a test beside this one may be open, ms.
 */
const WORK_TIME = 8000, LINGERING_TIME = 5 * LINGER_TIME, OTHERS_TIME = 20_000;

/** Goes on after so many ms of the loop. */
export const pause = (ms: number): Promise<void> =>
  new Promise((done) => {
    after(ms, () => {
      promiseResolved();
      done();
    });
  });

/** Throws what `work` throws, what the loop told of faults, and where a socket was left open. */
export async function onLoop(work: () => Promise<void>): Promise<void> {
  const faults: string[] = [];
  onFault((what, thrown) => faults.push(`${what}: ${thrown instanceof Error ? thrown.stack : thrown}`));
  promiseResolved(); // so that the first turn does not sleep
  const loop = run(), before = socketsOf();
  try {
    await inTime(work());
    let lingering = opened(before);
    for (let waited = 0; waited < LINGERING_TIME && lingering.size > 0; waited += 10) {
      await pause(10);
      lingering = lingering.intersection(socketsOf());
    }
  } finally {
    stop();
    await loop;
  }
  if (faults.length > 0) throw new Error(`the loop told of faults: ${faults.join("\n")}`);
  await closed(opened(before));
}

const opened = (before: ReadonlySet<string>): Set<string> => socketsOf().difference(before);

/** Other tests of this process open sockets, too, and close them; without the loop nobody closes those of this one. */
async function closed(sockets: ReadonlySet<string>): Promise<void> {
  let left = sockets;
  for (let waited = 0; waited < OTHERS_TIME && left.size > 0; waited += 50) {
    await new Promise((rested) => setTimeout(rested, 50));
    left = left.intersection(socketsOf());
  }
  if (left.size > 0) throw new Error(`${left.size} sockets were left open`);
}

function inTime(work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = after(WORK_TIME, () => {
      promiseResolved();
      reject(new Error(`not over within ${WORK_TIME} ms`));
    });
    work.then(resolve, reject).finally(cancel);
  });
}
