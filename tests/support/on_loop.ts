/**
 * Runs a test's work on the engine's loop, on the test's own thread. The loop blocks while nothing happens on its own
 * sockets, so the work uses streams of the engine and pause(): the runtime's own sockets and timers lag meanwhile.
 */
import { LINGER_TIME } from "../../gate/engine/linger.ts";
import { after, onFault, promiseResolved, run, stop } from "../../gate/engine/loop.ts";
import { ownAs, OWNERS_SIZE } from "../../gate/engine/owned.ts";
import { socketsOf } from "./descriptors.ts";

/** How long one may take, and what was closed may linger (one layer behind the other, on a machine under load), ms. */
const WORK_TIME = 8000, LINGERING_TIME = 5 * LINGER_TIME;
/** What this thread opened: tests on other threads of this process have sockets, too. */
const THREAD = 0, owners = new SharedArrayBuffer(OWNERS_SIZE);
ownAs(owners, THREAD);

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
  const loop = run(), before = own();
  try {
    await inTime(work());
    for (let waited = 0; waited < LINGERING_TIME && opened(before).size > 0; waited += 10) await pause(10);
  } finally {
    stop();
    await loop;
  }
  if (faults.length > 0) throw new Error(`the loop told of faults: ${faults.join("\n")}`);
  const { size } = opened(before);
  if (size > 0) throw new Error(`${size} sockets were left open`);
}

const own = (): Set<string> => {
  const table = new Uint16Array(owners);
  return socketsOf("self", (fd) => table[fd] === THREAD + 1);
};
const opened = (before: ReadonlySet<string>): Set<string> => own().difference(before);

function inTime(work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = after(WORK_TIME, () => {
      promiseResolved();
      reject(new Error(`not over within ${WORK_TIME} ms`));
    });
    work.then(resolve, reject).finally(cancel);
  });
}
