/** OpenSSH's client, of the cipher that is compared. */
import { freePort } from "../../free_ports.ts";
import { Child } from "../process.ts";
import type { Keys, SshServer } from "./servers.ts";

export const CIPHER = "aes128-gcm@openssh.com";
/** ms until a forward is there. */
const PATIENCE = 20_000;

/** What every client says. */
export function sshOptions({ user }: Keys, { port }: SshServer): string[] {
  const named = [
    ...[`Ciphers=${CIPHER}`, "IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no"],
    ...["UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ExitOnForwardFailure=yes"],
  ];
  const before = ["-F", "/dev/null", "-i", user, "-p", String(port)];
  return [...before, ...named.flatMap((option) => ["-o", option])];
}

/** A connection that forwards: its port leads to the sink. */
export interface Forward extends AsyncDisposable {
  readonly port: number;
}

/** `-L`: the client listens. */
export function local(keys: Keys, server: SshServer, sink: number): Promise<Forward> {
  const port = freePort();
  return forwarding(keys, server, port, ["-L", `127.0.0.1:${port}:127.0.0.1:${sink}`]);
}

/** `-R`: the server does, at `port`. */
export const reverse = (keys: Keys, server: SshServer, port: number, sink: number): Promise<Forward> =>
  forwarding(keys, server, port, ["-R", `127.0.0.1:${port}:127.0.0.1:${sink}`]);

async function forwarding(
  keys: Keys,
  server: SshServer,
  port: number,
  what: readonly string[],
): Promise<Forward> {
  const args = ["-N", ...sshOptions(keys, server), ...what, "root@127.0.0.1"];
  const child = new Child(`ssh ${what[0]} of ${server.name}`, "ssh", args);
  const late = performance.now() + PATIENCE;
  while (!await isOpen(port)) {
    if (performance.now() > late || child.ended) {
      await child[Symbol.asyncDispose]();
      throw new Error(`Cannot use ${child.name}: nothing listens on port ${port}`);
    }
    await new Promise((rested) => setTimeout(rested, 20));
  }
  return { port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

async function isOpen(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
