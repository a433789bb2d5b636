/**
 * Runs a test's work on the engine's loop, on the test's own thread. The loop blocks while nothing happens on its own
 * sockets, so the work uses streams of the engine and pause(): the runtime's own sockets and timers lag meanwhile.
 */
import { after, onFault, promiseResolved, run, stop } from "../../gate/engine/loop.ts";
import { openSockets } from "./descriptors.ts";

/** How long one may take, and what was closed may linger, ms. */
const WORK_TIME = 8000, LINGER_TIME = 1500;

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
  const loop = run(), before = openSockets();
  try {
    await inTime(work());
    for (let waited = 0; waited < LINGER_TIME && openSockets() > before; waited += 10) await pause(10);
  } finally {
    stop();
    await loop;
  }
  if (faults.length > 0) throw new Error(`the loop told of faults: ${faults.join("\n")}`);
  const left = openSockets() - before;
  if (left > 0) throw new Error(`${left} sockets were left open`);
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
