/** Waits until it is over, at most so many ms; whether it was over in time. Rejects as it does. */
export async function inTime(over: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((passed) => timer = setTimeout(() => passed(false), ms));
  try {
    return await Promise.race([over.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
