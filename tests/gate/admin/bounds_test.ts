/** Clients that ask half of something, send too much, or take nothing: each ends in time and holds nobody back. */
import type { Operations } from "../../../gate/operations.ts";
import { ask, portOf, raw, rawHead, read, SHORT, statusOf, withAdmin } from "../../support/admin.ts";
import { equal, ok } from "../../support/assert.ts";
import { openSockets } from "../../support/descriptors.ts";
import { APPLIED, liveConnection } from "../../support/operations.ts";

const encoder = new TextEncoder();
const HOST = "Host: localhost\r\n";

/** So many clients that sent this, each to be closed. */
async function crowd(port: number, size: number, text: string): Promise<Deno.TcpConn[]> {
  const all: Deno.TcpConn[] = [];
  for (let i = 0; i < size; i++) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    all.push(conn);
    await conn.write(encoder.encode(text)).catch(() => {}); // it had to make room already
  }
  return all;
}

/** What each was told until its server ended it. */
const endings = (all: readonly Deno.TcpConn[]): Promise<string[]> =>
  Promise.all(all.map(async (conn) => {
    const told = await read(conn);
    conn.close();
    return told;
  }));

for (const [name, text] of [["silent clients", ""], ["half requests", `GET /status HTTP/1.1\r\n${HOST}`]]) {
  Deno.test(`500 ${name} are cut in time, and health is answered meanwhile`, async () => {
    const before = openSockets();
    await withAdmin({ patience: SHORT }, async (admin) => {
      const to = { hostname: "127.0.0.1", port: portOf(admin) };
      const all = await crowd(to.port, 500, text);
      equal(statusOf(await rawHead(to, "GET /healthz HTTP/1.1\r\nHost: localhost")), 200);
      ok(openSockets() - before <= 500 + 64 + 4, `${openSockets() - before} sockets`);
      equal(new Set(await endings(all)), new Set([""]));
      equal(statusOf(await rawHead(to, "GET /readyz HTTP/1.1\r\nHost: localhost")), 200);
    });
    equal(openSockets() - before, 0);
  });
}

Deno.test("a client that dripped a head byte by byte has no more time than another", async () => {
  await withAdmin({ patience: SHORT }, async (admin) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(admin) });
    const told = read(conn);
    let open = true;
    const ended = told.then(() => open = false);
    while (open) {
      await conn.write(encoder.encode("G")).catch(() => {});
      await new Promise((rested) => setTimeout(rested, 20));
    }
    await ended;
    equal(await told, "");
  });
});

Deno.test("a connection that stays may ask again, and ends when it does not", async () => {
  await withAdmin({ patience: SHORT }, async (admin) => {
    const reply = await raw(
      { hostname: "127.0.0.1", port: portOf(admin) },
      `GET /healthz HTTP/1.1\r\n${HOST}\r\nGET /readyz HTTP/1.1\r\n${HOST}\r\n`,
    );
    equal(reply.split("HTTP/1.1 200 OK").length, 3);
    ok(reply.endsWith("ready\n"));
  });
});

Deno.test("a head that is too long is refused with its reason, however it comes", async () => {
  await withAdmin({ patience: SHORT }, async (admin) => {
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    for (const end of ["", "\r\n\r\n"]) {
      equal(statusOf(await raw(to, `GET / HTTP/1.1\r\n${HOST}A: ${"a".repeat(17_000)}${end}`)), 431);
    }
    const long = `GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\nA: ${"a".repeat(16_000)}\r\n\r\n`;
    equal(statusOf(await raw(to, long)), 200);
  });
});

/** A gate that keeps what was tried. */
function trying(): { readonly operations: Partial<Operations>; readonly texts: string[] } {
  const texts: string[] = [];
  return { texts, operations: { try: (text) => Promise.resolve((texts.push(text), APPLIED)) } };
}

Deno.test("a body comes whole and in time, or nothing is changed", async () => {
  const { operations, texts } = trying();
  await withAdmin({ patience: SHORT, operations }, async (admin) => {
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    const head = (length: number, more = "") =>
      `POST /reload?confirm=1000 HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n${more}\r\n`;
    equal(await raw(to, `${head(10)}half`), "");
    using ended = await Deno.connect(to);
    await ended.write(encoder.encode(`${head(10)}half`));
    await ended.closeWrite();
    equal(statusOf(await read(ended)), 400);
    equal(texts, []);
    const expects = await raw(to, head(4, "Expect: 100-continue\r\nConnection: close\r\n") + "text");
    equal(statusOf(expects), 200);
    equal(texts, ["text"]);
  });
});

Deno.test("who expects to be told to go on is told", async () => {
  const { operations, texts } = trying();
  await withAdmin({ patience: SHORT, operations }, async (admin) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(admin) });
    const head =
      `POST /reload?confirm=1000 HTTP/1.1\r\n${HOST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`;
    await conn.write(encoder.encode(head));
    const into = new Uint8Array(1000);
    const told = new TextDecoder().decode(into.subarray(0, await conn.read(into) ?? 0));
    equal(told, "HTTP/1.1 100 Continue\r\n\r\n");
    await conn.write(encoder.encode("text"));
    equal(statusOf(await read(conn)), 200);
    equal(texts, ["text"]);
  });
});

Deno.test("a body that is too long is refused before it comes, and its sender reads why", async () => {
  const { operations, texts } = trying();
  await withAdmin({ operations }, async (admin) => {
    const most = 1 << 20;
    const post = (path: string, size: number) =>
      ask(admin, path, { method: "POST", body: new Uint8Array(size).fill(97) });
    equal((await post("/reload?confirm=1000", most))[0], 200);
    equal((await post("/reload?confirm=1000", most + 1))[0], 413);
    equal(texts.map(({ length }) => length), [most]);
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    const read = `GET /status HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\ntext`;
    equal(statusOf(await raw(to, read)), 413);
  });
});

Deno.test("who takes nothing of a big answer is cut, and its descriptor comes back", async () => {
  const before = openSockets();
  const many = Array.from({ length: 20_000 }, (_, id) => liveConnection(id));
  const connections = (most: number) => Promise.resolve({ total: most, connections: many.slice(0, most) });
  await withAdmin({ patience: SHORT, operations: { connections } }, async (admin) => {
    const port = portOf(admin);
    using reader = await Deno.connect({ hostname: "127.0.0.1", port });
    await reader.write(encoder.encode(`GET /connections?most=20000 HTTP/1.1\r\n${HOST}\r\n`));
    const into = new Uint8Array(1000);
    equal(await reader.read(into) === null, false); // it has begun
    const own = openSockets() - before;
    while (openSockets() - before >= own) await new Promise((rested) => setTimeout(rested, 20));
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
    const [code, text] = await ask(admin, "/connections?most=20000");
    equal([code, JSON.parse(text).connections.length], [200, 20_000]);
  });
});

Deno.test("answers that nobody takes are bounded in memory, and health is answered all the same", async () => {
  const wide = "x".repeat(9 << 20);
  const connections = () => Promise.resolve({ total: 1, connections: [liveConnection(1, { target: wide })] });
  await withAdmin({ operations: { connections } }, async (admin) => {
    const port = portOf(admin), request = `GET /connections HTTP/1.1\r\n${HOST}\r\n`;
    const all = await crowd(port, 8, request);
    const codes = await Promise.all(all.map(async (conn) => {
      const into = new Uint8Array(1000);
      return statusOf(new TextDecoder().decode(into.subarray(0, await conn.read(into) ?? 0)));
    }));
    equal(codes.filter((code) => code === 200).length, 3); // of 9 MiB each, 32 MiB in all
    equal(codes.filter((code) => code === 503).length, 5);
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
    for (const conn of all) conn.close();
  });
});

Deno.test("clients whose bodies do not come are nobody's work: others are answered meanwhile", async () => {
  await withAdmin({}, async (admin) => {
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    const half = `POST /reload?confirm=1000 HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\nx`;
    const all = await crowd(to.port, 40, half);
    equal((await ask(admin, "/status"))[0], 200);
    for (const conn of all) conn.close();
  });
});
