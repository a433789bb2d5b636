/** Ports of 127.0.0.1 for programs that cannot take port 0. */

/** So many that were free a moment ago, each another. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

export const freePort = (): number => freePorts(1)[0];
