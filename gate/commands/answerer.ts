/**
 * Who answers as the gate. A command may be said by root, and any user of this machine may listen where no gate does: a
 * file is replaced only for who might have changed it, or was shown it, anyway.
 */
import type { Socket } from "node:net";
import { isUnixHost, parseIp, type Target } from "../address.ts";

/** The user at the other end; undefined: of another machine, or the system does not tell. */
export async function userOf(target: Target, socket: Socket): Promise<number | undefined> {
  if (isUnixHost(target.host)) {
    const path = target.host.slice("unix:".length);
    return path.startsWith("@") ? undefined : (await Deno.stat(path)).uid ?? undefined;
  }
  const own = place(socket.remoteAddress, socket.remotePort),
    other = place(socket.localAddress, socket.localPort);
  if (Deno.build.os !== "linux" || !own || !other) return undefined;
  const { userOfSocket } = await import("../engine/socket_user.ts");
  return userOfSocket(own, other);
}

function place(address: string | undefined, port: number | undefined) {
  const ip = address === undefined ? undefined : parseIp(address);
  return ip && port !== undefined ? { ip, port } : undefined;
}

/** Whether a gate of that user may name this file: root's may, one's own, and one whose user or group has the file. */
export async function mayName(user: number | undefined, file: string): Promise<boolean> {
  if (user === undefined) return false;
  if (user === 0 || user === Deno.uid()) return true;
  const { uid, gid } = await Deno.stat(file).catch(() => ({ uid: null, gid: null }));
  return uid === user || (gid !== null && (await groupsOf(user)).includes(gid));
}

/** By passwd(5) and group(5): users of other sources have none here. */
async function groupsOf(user: number): Promise<number[]> {
  const [users, groups] = await Promise.all(["/etc/passwd", "/etc/group"].map(fieldsOf));
  const entry = users.find(([, , uid]) => Number(uid) === user);
  if (!entry) return [];
  const others = groups.filter(([, , , members = ""]) => members.split(",").includes(entry[0]));
  return [Number(entry[3]), ...others.map(([, , gid]) => Number(gid))];
}

async function fieldsOf(file: string): Promise<string[][]> {
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.split("\n").map((line) => line.split(":"));
}
