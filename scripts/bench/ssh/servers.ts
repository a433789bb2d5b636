/** OpenSSH's sshd and ugate as servers of SSH: one host key and one user each, the same cipher. */
import { find } from "../../clients.ts";
import { freePort } from "../../free_ports.ts";
import { Child } from "../process.ts";

/** What everybody has: a host key, a user's key, and who is known. */
export interface Keys {
  readonly host: string;
  readonly user: string;
  readonly authorized: string;
}

export interface SshServer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly child: Child;
}

/** Connections at one time that both are configured for. */
export const MOST_CLIENTS = 2000;
/** ms until one listens. */
const PATIENCE = 20_000;

export async function makeKeys(folder: string): Promise<Keys> {
  const keys = { host: `${folder}/host`, user: `${folder}/user`, authorized: `${folder}/authorized` };
  for (const file of [keys.host, keys.user]) {
    const args = ["-q", "-t", "ecdsa", "-b", "256", "-N", "", "-f", file];
    const { success } = await new Deno.Command("ssh-keygen", { args }).output();
    if (!success) throw new Error(`Cannot make ${file}: ssh-keygen failed`);
  }
  await Deno.copyFile(`${keys.user}.pub`, keys.authorized);
  return keys;
}

export async function startSshd({ host, authorized }: Keys): Promise<SshServer> {
  const port = freePort();
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const options = [
    ...[`ListenAddress=127.0.0.1:${port}`, `HostKey=${host}`, `AuthorizedKeysFile=${authorized}`],
    ...["PidFile=none", "StrictModes=no", "UsePAM=no", "PermitRootLogin=yes", "LogLevel=QUIET"],
    ...[`MaxStartups=${MOST_CLIENTS}`, `MaxSessions=${MOST_CLIENTS}`, "GatewayPorts=no"],
  ].flatMap((option) => ["-o", option]);
  const child = new Child("sshd", find("sshd")!, ["-D", "-e", "-f", "/dev/null", ...options]);
  return await listening("sshd", child, port);
}

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

/** `sink`: a port of 127.0.0.1 that clients may be forwarded to; `reverse`: one that they may listen on. */
export async function startUgate(
  { host, user, authorized }: Keys,
  folder: string,
  { sink, reverse }: { sink: number; reverse: number },
): Promise<SshServer> {
  const port = freePort(), file = `${folder}/ugate.yaml`;
  const line = (await Deno.readTextFile(`${user}.pub`)).trim();
  await Deno.writeTextFile(`${authorized}.ugate`, `permitlisten="127.0.0.1:${reverse}" ${line}\n`);
  await Deno.writeTextFile(
    file,
    `
node: { state: ${folder}/state, key: ${host} }
listeners:
  ssh: { address: "127.0.0.1:${port}", protocols: [ssh] }
ssh: { authorizedKeys: [ ${authorized}.ugate ] }
policy:
  - allow: { protocol: ssh, identity: any, addresses: 127.0.0.1, ports: ${sink} }
limits: { connections: ${10 * MOST_CLIENTS}, perSource: ${10 * MOST_CLIENTS} }
admin: { address: "off" }
log: { level: error }
`,
  );
  const child = new Child("ugate", Deno.execPath(), ["run", "-A", MAIN, "run", "-c", file]);
  return await listening("ugate", child, port);
}

async function listening(name: string, child: Child, port: number): Promise<SshServer> {
  const server = { name, port, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  const late = performance.now() + PATIENCE;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return server;
    } catch (thrown) {
      if (performance.now() < late && !child.ended) {
        await new Promise((rested) => setTimeout(rested, 20));
        continue;
      }
      await child[Symbol.asyncDispose]();
      throw thrown;
    }
  }
}
