/** Logins, names, transfers and sessions of SSH, and clients that leave or lie at every stage. */
import type { Course } from "../course.ts";
import { SSH_KINDS } from "./kinds.ts";
import { changeKeys, SSH_DOORS, sshConfiguration, type SshServers } from "./world.ts";

/** Who are there at once, each with a name of its own. */
export const PEOPLE = 24;

export const SSH: Course<SshServers> = {
  name: "ssh",
  unit: "connections",
  kinds: SSH_KINDS,
  doors: SSH_DOORS,
  clients: new URL("./clients.ts", import.meta.url),
  servers: new URL("./servers.ts", import.meta.url),
  processes: 1,
  atOnce: PEOPLE,
  spare: 0,
  configuration: sshConfiguration,
  change: changeKeys,
};
