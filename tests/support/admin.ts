/** An admin server of a test: started with a gate that is not there, and spoken to byte by byte. */
import { type Admin, type AdminOptions, startAdmin } from "../../gate/admin/server.ts";
import type { Operations } from "../../gate/operations.ts";
import { fakeOperations } from "./operations.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Where the server has its patience: clients that are slow do not make a test slow. */
export const SHORT = { head: 300, idle: 300, body: 300, answer: 600, linger: 300 };

type Given = Partial<Omit<AdminOptions, "operations">> & { readonly operations?: Partial<Operations> };

export async function withAdmin(given: Given, use: (admin: Admin) => Promise<void>): Promise<void> {
  const operations = fakeOperations(given.operations);
  const admin = await startAdmin({ address: LOOPBACK, metrics: "off", ...given, operations });
  try {
    await use(admin);
  } finally {
    await admin.close();
  }
}

export const portOf = (admin: Admin, at = 0): number => Number(admin.addresses[at].split(":").at(-1));

export async function ask(admin: Admin, path: string, init?: RequestInit, at = 0): Promise<[number, string]> {
  const answer = await fetch(`http://${admin.addresses[at]}${path}`, init);
  return [answer.status, await answer.text()];
}

/** Sends these bytes, and answers everything that comes until the server ends it. */
export async function raw(to: Deno.ConnectOptions | Deno.UnixConnectOptions, text: string): Promise<string> {
  using conn = "path" in to ? await Deno.connect(to) : await Deno.connect(to);
  await conn.write(new TextEncoder().encode(text));
  return await read(conn);
}

/** As raw, with the last fields of a head. */
export const rawHead = (to: Deno.ConnectOptions | Deno.UnixConnectOptions, head: string): Promise<string> =>
  raw(to, `${head}\r\nConnection: close\r\n\r\n`);

/** Everything until the end, or until a reset. */
export async function read(conn: Deno.Conn): Promise<string> {
  const into = new Uint8Array(65536), text = new TextDecoder();
  let all = "";
  try {
    for (let size = await conn.read(into); size !== null; size = await conn.read(into)) {
      all += text.decode(into.subarray(0, size), { stream: true });
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.ConnectionReset)) throw thrown;
  }
  return all;
}

export const statusOf = (reply: string): number => Number(reply.split(" ")[1]);
