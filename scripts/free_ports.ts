/** Ports of 127.0.0.1 for programs that cannot take port 0. */

/** The system gives ports from its range to every client and to every port 0: below it nobody comes in between. */
const LEAST = 10_240, MOST = 32_767;
const TRIES = 1000;

/** So many that were free a moment ago, each another. */
export function freePorts(count: number): number[] {
  const listeners: Deno.TcpListener[] = [];
  for (let tries = 0; listeners.length < count; tries++) {
    const port = LEAST + Math.floor(Math.random() * (MOST - LEAST + 1));
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.AddrInUse) || tries > TRIES) throw thrown;
    }
  }
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}

export const freePort = (): number => freePorts(1)[0];
