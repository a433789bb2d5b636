/** The servers behind the gate whose requests are soaked, as a process: prints where they are, and ends with its input. */
import { Buffer } from "node:buffer";
import { scryptSync } from "node:crypto";
import { TestIssuer } from "../../support/issuer.ts";
import { type RawPeer, rawUpstream } from "../../support/http_peers.ts";
import { lengthOf } from "../../support/http_peers.ts";
import { forgetClosed, makeFolder } from "../certificates.ts";
import { FILE, HOST, type HttpServers, ISSUER, PASSWORD } from "./world.ts";

/** Content of an answer: its request's id, again and again. */
function contentOf(id: string, size: number): string {
  return `${id} `.padEnd(size, id);
}

/** By length or by chunks, as it is asked to: always what its own request says. */
async function answer(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url), id = searchParams.get("id") ?? "";
  const came = request.body ? (await request.arrayBuffer()).byteLength : 0;
  const headers = {
    "X-Id": id,
    "X-Came": String(came),
    "Content-Type": "text/plain",
    "X-Host": request.headers.get("host") ?? "",
  };
  const status = Number(searchParams.get("status") ?? 200), size = Number(searchParams.get("size") ?? 0);
  if (status === 204) return new Response(null, { status, headers });
  const content = contentOf(id, size);
  if (!searchParams.has("chunks")) return new Response(content, { status, headers });
  const bytes = new TextEncoder().encode(content), half = bytes.length >> 1;
  return new Response(ReadableStream.from([bytes.subarray(0, half), bytes.subarray(half)]), {
    status,
    headers,
  });
}

/** What no library does. */
async function serveOdd(peer: RawPeer): Promise<void> {
  const head = await peer.head(),
    [, path] = head.split(" "),
    { pathname, searchParams } = new URL(path, "http://x");
  const id = searchParams.get("id") ?? "";
  await peer.content(lengthOf(head));
  const acts: Record<string, () => void> = {
    end: () => peer.socket.end(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n\r\n${contentOf(id, 3000)}`),
    old: () => peer.socket.end(`HTTP/1.0 200 OK\r\nX-Id: ${id}\r\n\r\n${contentOf(id, 10)}`),
    cut: () => peer.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${id}`),
    reset: () => peer.socket.resetAndDestroy(),
    late: () => {},
    wrong: () => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    up: () => {
      peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: soak\r\n\r\n");
      peer.socket.write(Buffer.from(peer.take(peer.received.length), "latin1"));
      peer.socket.removeAllListeners("data");
      peer.socket.pipe(peer.socket);
    },
  };
  acts[pathname.split("/").at(-1)!]();
}

const { folder, served } = await makeFolder([HOST]);
await Deno.mkdir(`${folder}/files`);
await Deno.writeTextFile(`${folder}/files/text.txt`, "0123456789".repeat(FILE / 10));
const issuer = await TestIssuer.start();
await Deno.writeTextFile(`${folder}/keys.json`, issuer.set);

const at = { hostname: "127.0.0.1", port: 0, onListen() {} };
/** Clients leave in the middle of what they send. */
const gone = () => new Response(null, { status: 500 });
const web = Deno.serve({ ...at, onError: gone }, answer),
  secure = Deno.serve({ ...at, onError: gone, cert: served.chain, key: served.key }, answer);
const odd = await rawUpstream(serveOdd);
forgetClosed([odd]);
setInterval(() => odd.peers.splice(0), 1000);

const salt = new Uint8Array(16).fill(7), N = 16;
const digest = scryptSync(PASSWORD, salt, 32, { N, r: 1, p: 1 }).toString("base64url");

const servers: HttpServers = {
  web: web.addr.port,
  secure: secure.addr.port,
  odd: odd.port,
  folder,
  hash: `scrypt:${N}:1:1:${Buffer.from(salt).toString("base64url")}:${digest}`,
  token: await issuer.token({ iss: ISSUER, exp: Math.floor(Date.now() / 1000) + 86_400 }),
};
console.log(JSON.stringify(servers));
for await (const _ of Deno.stdin.readable);
await Deno.remove(folder, { recursive: true });
Deno.exit(0);
