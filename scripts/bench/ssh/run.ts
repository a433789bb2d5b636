/** The SSH part of the bench: OpenSSH's sshd and ugate in turn, round by round, by OpenSSH's client. */
import { freePort } from "../../free_ports.ts";
import type { Results } from "../table.ts";
import { startUpstream } from "../upstream.ts";
import { SSH_MEASUREMENTS, type SshContender, type SshMeasurement } from "./measure.ts";
import { makeKeys, startSshd, startUgate } from "./servers.ts";

/** Who is compared. */
export const SSH_NAMES: readonly string[] = ["sshd", "ugate"];
/** With whom ugate is. */
export const SSH_OTHERS: readonly string[] = ["sshd"];

export interface SshOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly who: readonly string[];
  readonly progress: (text: string) => void;
}

/** What there is to measure whose name has this text. */
export const sshMeasurements = (only: string): readonly SshMeasurement[] =>
  SSH_MEASUREMENTS.filter(({ name }) => name.includes(only));

/** What cannot be measured is left out and told. */
export async function underSsh(
  list: readonly SshMeasurement[],
  results: Results,
  { rounds, seconds, who, progress }: SshOptions,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const keys = await makeKeys(folder), upstream = stack.use(await startUpstream());
  const reversePort = freePort(), contenders: SshContender[] = [];
  for (const name of SSH_NAMES.filter((name) => who.includes(name))) {
    await results.attempt("ssh", name, async () => {
      const server = name === "sshd"
        ? await startSshd(keys)
        : await startUgate(keys, folder, { sink: upstream.port, reverse: reversePort });
      contenders.push({ server: stack.use(server), keys, upstream, reversePort });
      return [];
    });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const what of list) {
      progress(`round ${round} of ${rounds}: ${what.name}`);
      for (const contender of contenders) {
        await results.attempt(what.name, contender.server.name, () => what.measure(contender, seconds));
      }
    }
  }
}
