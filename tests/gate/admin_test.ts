import { hostGuard } from "../../gate/admin/host.ts";
import { type Admin, type AdminOptions, startAdmin } from "../../gate/admin/server.ts";
import type { Operations, Status } from "../../gate/operations.ts";
import { equal, ok, rejects } from "../support/assert.ts";
import { fakeOperations, STATUS } from "../support/operations.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

interface Given extends Partial<Operations> {
  readonly address?: AdminOptions["address"];
  readonly metricsAt?: AdminOptions["metrics"];
  readonly patience?: AdminOptions["patience"];
}

async function withAdmin(given: Given, use: (admin: Admin) => Promise<void>): Promise<void> {
  const { address = LOOPBACK, metricsAt = "off", patience, ...operations } = given;
  const admin = await startAdmin({
    address,
    metrics: metricsAt,
    patience,
    operations: fakeOperations(operations),
  });
  try {
    await use(admin);
  } finally {
    await admin.close();
  }
}

/** Sends a request as written and answers all of the reply, read to its end. */
async function raw(to: Deno.ConnectOptions | Deno.UnixConnectOptions, head: string): Promise<string> {
  using conn = "path" in to ? await Deno.connect(to) : await Deno.connect(to);
  await conn.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
  return await new Response(conn.readable).text();
}

async function ask(admin: Admin, path: string, init: RequestInit = {}, at = 0): Promise<[number, string]> {
  const answer = await fetch(`http://${admin.addresses[at]}${path}`, init);
  return [answer.status, await answer.text()];
}

const statusOf = (reply: string): number => Number(reply.split(" ")[1]);

Deno.test("health and readiness say what the gate says of itself", async () => {
  let good = true;
  await withAdmin({ healthy: () => good, ready: () => !good }, async (admin) => {
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
    equal(await ask(admin, "/readyz"), [503, "not ready\n"]);
    good = false;
    equal(await ask(admin, "/healthz"), [503, "unhealthy\n"]);
    equal(await ask(admin, "/readyz"), [200, "ready\n"]);
  });
});

Deno.test("the status is JSON, also where it has to be waited for", async () => {
  await withAdmin({ status: () => Promise.resolve(STATUS) }, async (admin) => {
    const answer = await fetch(`http://${admin.addresses[0]}/status`);
    equal(answer.headers.get("content-type"), "application/json");
    equal(answer.headers.get("cache-control"), "no-store");
    equal(await answer.json(), STATUS);
  });
});

Deno.test("a status that fails is told with its reason and ends nothing", async () => {
  const status = () => {
    throw new Error("the engine is away");
  };
  await withAdmin({ status }, async (admin) => {
    equal(await ask(admin, "/status"), [500, "the engine is away\n"]);
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
  });
});

Deno.test("unknown pages are 404, other methods 405 with the allowed ones", async () => {
  await withAdmin({}, async (admin) => {
    equal((await ask(admin, "/nothing"))[0], 404);
    equal((await ask(admin, "/toString"))[0], 404);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const answer = await fetch(`http://${admin.addresses[0]}/status`, { method });
      equal([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
      await answer.body?.cancel();
    }
    equal(await ask(admin, "/status", { method: "HEAD" }), [200, ""]);
  });
});

Deno.test("a request under another name is refused, whatever it asks for", async () => {
  await withAdmin({}, async (admin) => {
    const port = Number(admin.addresses[0].split(":").at(-1));
    const get = (host: string, target = "/status") =>
      raw({ hostname: "127.0.0.1", port }, `GET ${target} HTTP/1.1\r\nHost: ${host}`);
    for (
      const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "local host", "a@localhost"]
    ) {
      const reply = await get(host);
      equal(statusOf(reply), 421, host);
      ok(reply.includes("Cannot answer: this Host"));
    }
    for (
      const host of [
        "localhost",
        `LOCALHOST:${port}`,
        "127.0.0.1",
        `[::1]:${port}`,
        "127.8.8.8:1",
        "a.localhost",
      ]
    ) {
      equal(statusOf(await get(host)), 200, host);
    }
    equal(statusOf(await get("evil.example", "http://127.0.0.1/status")), 421);
    equal(statusOf(await raw({ hostname: "127.0.0.1", port }, "GET /status HTTP/1.0\r\nX-None: 1")), 421);
  });
});

Deno.test("a page on all addresses answers to every IP literal and to no name but loopback's", () => {
  const isOwn = hostGuard({ host: "", port: 15000 });
  ok(isOwn("10.0.0.1:15000") && isOwn("[fd00::1]") && isOwn("localhost"));
  ok(!isOwn("gate.example") && !isOwn("1.2.3.4.5") && !isOwn(undefined));
  const named = hostGuard({ host: "10.0.0.1", port: 1 });
  ok(named("10.0.0.1:99") && !named("10.0.0.2"));
});

Deno.test("the metrics address answers metrics and health to any Host and nothing else", async () => {
  await withAdmin({ metricsAt: { host: "", port: 0 } }, async (admin) => {
    const port = Number(admin.addresses[1].split(":").at(-1));
    equal(admin.addresses[1], `:${port}`);
    for (const hostname of ["127.0.0.1", "localhost"]) {
      const get = (path: string) => raw({ hostname, port }, `GET ${path} HTTP/1.1\r\nHost: pod.example`);
      equal(statusOf(await get("/healthz")), 200);
      equal(statusOf(await get("/readyz")), 200);
      equal(statusOf(await get("/status")), 404);
      equal(statusOf(await get("/metrics")), 200);
      equal(statusOf(await get("/")), 404);
      equal(statusOf(await raw({ hostname, port }, "POST /reload HTTP/1.1\r\nHost: pod.example")), 404);
    }
  });
});

Deno.test("what waits for its status is bounded", async () => {
  const gate = Promise.withResolvers<Status>();
  const full = Promise.withResolvers<void>();
  let waiting = 0;
  const status = () => {
    if (++waiting === 16) full.resolve();
    return gate.promise;
  };
  await withAdmin({ status }, async (admin) => {
    const held = Array.from({ length: 16 }, () => ask(admin, "/status"));
    await full.promise;
    equal((await ask(admin, "/status"))[0], 503);
    gate.resolve(STATUS);
    for (const [code] of await Promise.all(held)) equal(code, 200);
    equal((await ask(admin, "/status"))[0], 200);
  });
});

Deno.test("off is off", async () => {
  await withAdmin({ address: "off" }, (admin) => Promise.resolve(equal(admin.addresses, [])));
});

Deno.test("a port that is taken is an error, and nothing stays open behind it", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const metrics = { host: "127.0.0.1", port: taken.addr.port };
  await rejects(
    withAdmin({ metricsAt: metrics }, () => Promise.resolve()),
    /^Cannot listen on 127\.0\.0\.1:\d+: /,
  );
});

Deno.test("close() lets a request in work end", async () => {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<Status>();
  const status = () => (asked.resolve(), gate.promise);
  await withAdmin({ status }, async (admin) => {
    const answer = ask(admin, "/status");
    await asked.promise;
    const closed = admin.close();
    gate.resolve(STATUS);
    equal((await answer)[0], 200);
    await closed;
  });
});

/** A path of its own for a socket, away with its folder at the end. */
async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(`${folder}/admin.sock`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a unix socket is its owner's alone, answers without a Host, and goes at close", async () => {
  await withPath(async (path) => {
    await withAdmin({ address: { host: `unix:${path}`, port: 0 } }, async (admin) => {
      equal(admin.addresses, [`unix:${path}`]);
      equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      const get = (head: string) => raw({ transport: "unix", path }, head);
      equal(statusOf(await get("GET /healthz HTTP/1.1\r\nHost: localhost")), 200);
      equal(statusOf(await get("GET /healthz HTTP/1.1\r\nHost:")), 200);
      equal(statusOf(await get("GET /healthz HTTP/1.1\r\nHost: evil.example")), 421);
    });
    await rejects(Deno.lstat(path), /No such file/);
  });
});

Deno.test("the socket of a dead process is replaced, a living one is an error and lives on", async () => {
  await withPath(async (path) => {
    const address = { host: `unix:${path}`, port: 0 };
    await leaveSocket(path);
    await withAdmin({ address }, async () => {
      await rejects(withAdmin({ address }, () => Promise.resolve()), /another process listens there/);
      equal(statusOf(await raw({ transport: "unix", path }, "GET /readyz HTTP/1.1\r\nHost: localhost")), 200);
    });
  });
});

Deno.test("a file where the socket should be is left alone", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "mine");
    const address = { host: `unix:${path}`, port: 0 };
    await rejects(withAdmin({ address }, () => Promise.resolve()), /a file that is no socket/);
    equal(await Deno.readTextFile(path), "mine");
  });
});

/** Leaves behind what a killed process does: a bound socket nobody listens on. */
async function leaveSocket(path: string): Promise<void> {
  const code = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL");`;
  const dying = new Deno.Command(Deno.execPath(), { args: ["eval", code], stdout: "null", stderr: "null" });
  await dying.output();
  ok((await Deno.lstat(path)).isSocket);
}

Deno.test("a page of another origin changes nothing; who sends no Origin may", async () => {
  let reloads = 0;
  const reload = () => {
    reloads++;
    return fakeOperations().reload();
  };
  await withAdmin({ reload }, async (admin) => {
    const host = admin.addresses[0], port = Number(host.split(":").at(-1));
    const post = (...headers: string[]) =>
      raw(
        { hostname: "127.0.0.1", port },
        [`POST /reload HTTP/1.1`, `Host: ${host}`, "Content-Length: 0", ...headers].join("\r\n"),
      );
    const foreign = [
      ["Origin: null"],
      ["Origin: http://evil.example"],
      [`Origin: https://${host}`],
      [`Origin: http://127.0.0.1:${port + 1}`],
      ["Sec-Fetch-Site: cross-site"],
      [`Origin: http://${host}`, "Origin: http://evil.example"],
    ];
    for (const headers of foreign) {
      const code = statusOf(await post(...headers));
      ok(code === 403 || code === 400, `${headers}: ${code}`);
    }
    equal(reloads, 0);
    equal(statusOf(await post()), 200);
    equal(statusOf(await post(`Origin: http://${host}`)), 200);
    equal(reloads, 2);
    equal(statusOf(await raw({ hostname: "127.0.0.1", port }, `GET /reload HTTP/1.1\r\nHost: ${host}`)), 405);
    equal(reloads, 2);
  });
});

Deno.test("half requests are cut in time, hold nobody back, and leave no descriptor", async () => {
  const patience = { head: 300, idle: 300, body: 300, answer: 300, linger: 100 };
  await withAdmin({ patience }, async (admin) => {
    const port = Number(admin.addresses[0].split(":").at(-1));
    const half = await Promise.all(
      Array.from({ length: 200 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    for (const conn of half) await conn.write(new TextEncoder().encode("GET /sta")).catch(() => {});
    for (const conn of half) {
      const buffer = new Uint8Array(1024);
      while (await conn.read(buffer).catch(() => null) !== null);
      conn.close();
    }
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
  });
});
