/** How many sockets this process, or another one, has open. */
export function openSockets(pid: number | "self" = "self"): number {
  let open = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      if (Deno.readLinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:")) open++;
    } catch { // it was closed meanwhile
    }
  }
  return open;
}
