/** Whether what somebody was granted before is still granted to him. */
import type { Permitted } from "../../../gate/identity/logins.ts";
import type { Grant } from "../keys/login.ts";

export function isWithin(before: Grant, now: Grant): boolean {
  const has = <T>(all: readonly T[], some: readonly T[]) => some.every((one) => all.includes(one));
  return has(now.identity.names, before.identity.names) && has(now.principals, before.principals) &&
    (now.forwarding || !before.forwarding) && (now.pty || !before.pty) &&
    now.command === before.command && now.role === before.role &&
    permits(now.permitOpen, before.permitOpen) && permits(now.permitListen, before.permitListen);
}

/** Absent: nothing is said. */
function permits(now: readonly Permitted[] | undefined, before: readonly Permitted[] | undefined): boolean {
  if (now === undefined) return true;
  return before !== undefined &&
    before.every(({ host, port }) => now.some((one) => one.host === host && one.port === port));
}
