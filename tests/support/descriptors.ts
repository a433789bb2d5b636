/** The sockets that this process, or another one, has open, as `socket:[1234]`; of those descriptors alone that `is` takes. */
export function socketsOf(
  pid: number | "self" = "self",
  is: (fd: number) => boolean = () => true,
): Set<string> {
  const open = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    if (!is(Number(name))) continue;
    try {
      const link = Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
      if (link.startsWith("socket:")) open.add(link);
    } catch { // it was closed meanwhile
    }
  }
  return open;
}

/** How many these are. */
export const openSockets = (pid: number | "self" = "self"): number => socketsOf(pid).size;
