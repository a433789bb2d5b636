/** Certificates of a soak, in a folder that the gate is told of, and servers that forget who has gone. */
import { Authority, type Issued } from "../support/certificates.ts";
import type { TestServer } from "../support/net.ts";

/** Certificates of the site that take turns. */
const SETS = 4;
/** ms between looks at who has gone: test servers remember every connection, and here there are very many. */
const FORGET = 500;

async function put(folder: string, issued: Issued, name: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/${name}.pem`, issued.chain);
  await Deno.writeTextFile(`${folder}/${name}.key`, issued.key);
}

/**
 * `ca.pem` vouches for the site, for `client` and for servers at 127.0.0.1 (`served`); `other.pem` is believed by nobody,
 * and vouches for `stranger` (and `rogue`). `set-N/` are the site's `cert`, `current` is a link to one of them.
 */
export async function makeFolder(names: readonly string[]) {
  const authority = await Authority.make("soaked"), other = await Authority.make("strangers");
  const folder = await Deno.makeTempDir({ prefix: "ugate-soak-" });
  await put(folder, authority.root, "ca");
  await put(folder, other.root, "other");
  await put(folder, await authority.issue(["client.test"]), "client");
  await put(folder, await other.issue(["client.test"]), "stranger");
  for (let set = 0; set < SETS; set++) {
    await Deno.mkdir(`${folder}/set-${set}`);
    await put(`${folder}/set-${set}`, await authority.issue(names), "cert");
  }
  await Deno.symlink("set-0", `${folder}/current`);
  const [served, rogue] = await Promise.all([authority, other].map((by) => by.issue(["127.0.0.1"])));
  return { folder, served, rogue };
}

/** Another certificate is the site's: in one step, as mounted secrets change. */
export async function changeCertificate(
  { folder }: { readonly folder: string },
  round: number,
): Promise<void> {
  const link = `${folder}/next`;
  await Deno.symlink(`set-${round % SETS}`, link);
  await Deno.rename(link, `${folder}/current`);
}

/** They remember every connection. */
export function forgetClosed(servers: readonly TestServer[]): void {
  setInterval(() => {
    for (const { sockets } of servers) {
      let kept = 0;
      for (const socket of sockets) if (!socket.closed) sockets[kept++] = socket;
      sockets.length = kept;
    }
  }, FORGET);
}
