import { startAdmin } from "../../../gate/admin/server.ts";
import type { Operations, Status } from "../../../gate/operations.ts";
import { ask, LOOPBACK, portOf, rawHead, statusOf, withAdmin } from "../../support/admin.ts";
import { need } from "../../../scripts/clients.ts";
import { equal, ok, rejects } from "../../support/assert.ts";
import { APPLIED, fakeOperations, liveConnection, nodeStatus, STATUS } from "../../support/operations.ts";
import { GateError } from "../../../gate/errors.ts";

/** The gate is asked these, and nothing but these. */
const having = (operations: Partial<Operations>) => ({ operations });

Deno.test("health and readiness say what the gate says of itself", async () => {
  let good = true;
  await withAdmin(having({ healthy: () => good, ready: () => !good }), async (admin) => {
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
    equal(await ask(admin, "/readyz"), [503, "not ready\n"]);
    good = false;
    equal(await ask(admin, "/healthz"), [503, "unhealthy\n"]);
    equal(await ask(admin, "/readyz"), [200, "ready\n"]);
  });
});

Deno.test("what is there to read is JSON, metrics are text", async () => {
  const configuration = () => ({ listeners: { edge: { users: "***" } } });
  await withAdmin(having({ configuration }), async (admin) => {
    const types = { "/status": STATUS, "/config": configuration() };
    for (const [path, expected] of Object.entries(types)) {
      const answer = await fetch(`http://${admin.addresses[0]}${path}`);
      equal([answer.status, answer.headers.get("content-type")], [200, "application/json"]);
      equal(await answer.json(), expected);
    }
    const metrics = await fetch(`http://${admin.addresses[0]}/metrics`);
    equal(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    ok((await metrics.text()).endsWith("up 1\n"));
  });
});

Deno.test("connections are as many as are asked for, within a bound", async () => {
  const asked: number[] = [];
  const connections = (most: number) => {
    asked.push(most);
    return Promise.resolve({ total: 3, connections: [liveConnection(3), liveConnection(2)] });
  };
  await withAdmin(having({ connections }), async (admin) => {
    const [code, text] = await ask(admin, "/connections");
    equal([code, JSON.parse(text).total, JSON.parse(text).connections.length], [200, 3, 2]);
    for (const query of ["most=5", "most=0", "most=999999999"]) await ask(admin, `/connections?${query}`);
    equal(asked, [1000, 5, 0, 20_000]);
    for (const query of ["most=", "most=-1", "most=1e3", "most=x", "most=1&most=2", "least=1"]) {
      equal((await ask(admin, `/connections?${query}`))[0], 400, query);
    }
    equal(asked.length, 4);
  });
});

Deno.test("nodes are as many as are asked for, and how many there are", async () => {
  const nodes = () => Promise.resolve([nodeStatus({ id: 1 }), nodeStatus({ id: 2 })]);
  await withAdmin(having({ nodes }), async (admin) => {
    const [code, text] = await ask(admin, "/nodes?most=1");
    equal([code, JSON.parse(text).total, JSON.parse(text).nodes.length], [200, 2, 1]);
    equal(JSON.parse((await ask(admin, "/nodes"))[1]).nodes.length, 2);
    equal((await ask(admin, "/nodes?most=x"))[0], 400);
  });
});

Deno.test("HEAD tells what GET would, without the body, and the connection goes on", async () => {
  await withAdmin({}, async (admin) => {
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    const [head, body] = (await rawHead(to, "HEAD /healthz HTTP/1.1\r\nHost: localhost")).split("\r\n\r\n");
    ok(head.includes("\r\ncontent-length: 3") && body === "", head);
    const two = "HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost";
    ok((await rawHead(to, two)).endsWith("\r\n\r\nready\n"));
  });
});

Deno.test("what fails is told with its reason and ends nothing", async () => {
  const status = () => Promise.reject(new GateError("timeout", "gate", "Cannot count: engine 0 is late"));
  const configuration = () => {
    throw new Error("the text is away");
  };
  await withAdmin(having({ status, configuration }), async (admin) => {
    equal(await ask(admin, "/status"), [503, "Cannot count: engine 0 is late\n"]);
    equal((await ask(admin, "/config"))[0], 500);
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
  });
});

Deno.test("unknown pages are 404, and say which there are", async () => {
  await withAdmin({}, async (admin) => {
    for (
      const path of ["/nothing", "/toString", "/status/", "//status", "/page/main.js", "/..%2fdeno.json"]
    ) {
      const [code, text] = await ask(admin, path);
      equal(code, 404, path);
      ok(text.startsWith("Cannot find this page: there are /, "), text);
    }
  });
});

Deno.test("a reload tells what became of it", async () => {
  let outcome: typeof APPLIED = APPLIED;
  await withAdmin(having({ reload: () => Promise.resolve(outcome) }), async (admin) => {
    const [code, text] = await ask(admin, "/reload", { method: "POST" });
    equal([code, JSON.parse(text)], [200, APPLIED]);
    outcome = { ...APPLIED, result: "unchanged" };
    equal((await ask(admin, "/reload", { method: "POST" }))[0], 200);
    outcome = { ...APPLIED, result: "refused", problems: ["ugate.yaml:1:1: Cannot read it"] };
    equal((await ask(admin, "/reload", { method: "POST" }))[0], 422);
  });
});

Deno.test("a trial takes the configuration that came, and is confirmed by its id", async () => {
  const tried: [string, number][] = [];
  const trial = { id: "a b&c", file: "/etc/ugate.yaml", text: "listeners: {}", left: 60_000 };
  const operations: Partial<Operations> = {
    try: (text, ms) => Promise.resolve((tried.push([text, ms]), { ...APPLIED, trial })),
    reload: () => Promise.reject(new Error("this is no reload of what is on disk")),
    confirm: (id) => {
      return Promise.resolve(id === trial.id ? "confirmed" : id === "stale" ? "changed" : "over");
    },
  };
  await withAdmin(having(operations), async (admin) => {
    const post = (path: string, body?: BodyInit) => ask(admin, path, { method: "POST", body });
    const [code, text] = await post("/reload?confirm=60000", "listeners: { ü: 1 }");
    equal([code, JSON.parse(text).trial], [200, trial]);
    equal(tried, [["listeners: { ü: 1 }", 60_000]]);
    for (const confirm of ["", "0", "-1", "1e3", "60s", "86400001", "1&confirm=2", "1&force=1"]) {
      equal((await post(`/reload?confirm=${confirm}`, "x"))[0], 400, confirm);
    }
    equal((await post("/reload", "a text without a time"))[0], 400);
    equal((await post("/reload?confrm=1"))[0], 400);
    equal((await post("/reload?confirm=1000", Uint8Array.of(0xff, 0xfe)))[0], 400);
    equal(tried.length, 1);
    equal((await post(`/confirm?id=${encodeURIComponent(trial.id)}`))[0], 200);
    equal((await post("/confirm?id=other"))[0], 409);
    equal((await post("/confirm?id=stale"))[0], 412);
    equal([(await post("/confirm"))[0], (await post("/confirm?id="))[0]], [400, 400]);
  });
});

Deno.test("a trial can be read while there is one", async () => {
  const trial = { id: "1", file: "/etc/ugate.yaml", text: "listeners: {}", left: 5 };
  await withAdmin(having({ trial }), async (admin) => {
    const [code, text] = await ask(admin, "/trial");
    equal([code, JSON.parse(text)], [200, trial]);
  });
  await withAdmin({}, async (admin) => equal((await ask(admin, "/trial"))[0], 404));
});

Deno.test("what is in work at one time is bounded, and health is answered all the same", async () => {
  const gate = Promise.withResolvers<Status>();
  const full = Promise.withResolvers<void>();
  let waiting = 0;
  const status = () => {
    if (++waiting === 16) full.resolve();
    return gate.promise;
  };
  await withAdmin(having({ status }), async (admin) => {
    const held = Array.from({ length: 16 }, () => ask(admin, "/status"));
    await full.promise;
    equal((await ask(admin, "/status"))[0], 503);
    equal(await ask(admin, "/healthz"), [200, "ok\n"]);
    gate.resolve(STATUS);
    for (const [code] of await Promise.all(held)) equal(code, 200);
    equal((await ask(admin, "/status"))[0], 200);
  });
});

/** An address where no other test listens: a port that is free again there is nobody's. */
const APART = { host: "127.84.19.7", port: 0 };
const refusedAt = (port: number) => rejects(Deno.connect({ hostname: APART.host, port }), /refused/);

Deno.test("close() lets a request in work end", async () => {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<Status>();
  const operations = { status: () => (asked.resolve(), gate.promise) };
  await withAdmin({ address: APART, operations }, async (admin) => {
    const port = portOf(admin), answer = ask(admin, "/status");
    await asked.promise;
    const closed = admin.close();
    gate.resolve(STATUS);
    equal((await answer)[0], 200);
    await closed;
    await refusedAt(port);
  });
});

Deno.test("who follows another one takes over the places that stay, and frees those that do not", async () => {
  const operations = fakeOperations();
  const first = await startAdmin({ address: APART, metrics: "off", operations });
  using taken = Deno.listen({ hostname: APART.host, port: 0 });
  const occupied = { ...APART, port: taken.addr.port };
  const refused = startAdmin({ address: APART, metrics: occupied, operations, previous: first });
  await rejects(refused, /^admin\.metrics: Cannot listen on 127\.84\.19\.7:\d+: another program has it$/);
  equal(await ask(first, "/healthz"), [200, "ok\n"]);

  const second = await startAdmin({ address: APART, metrics: APART, operations, previous: first });
  await first.close();
  equal(second.addresses.length, 2);
  equal(await ask(second, "/healthz"), [200, "ok\n"]);

  const third = await startAdmin({ address: "off", metrics: APART, operations, previous: second });
  equal(third.addresses, [second.addresses[1]]);
  const port = portOf(second);
  await second.close();
  await refusedAt(port);
  equal((await ask(third, "/metrics"))[0], 200);
  await third.close();
});

Deno.test("off is off", async () => {
  await withAdmin({ address: "off" }, (admin) => Promise.resolve(equal(admin.addresses, [])));
});

Deno.test("a port that is taken is an error, and nothing stays open behind it", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const metrics = { ...LOOPBACK, port: taken.addr.port };
  await rejects(
    withAdmin({ metrics }, () => Promise.resolve()),
    /^admin\.metrics: Cannot listen on 127\.0\.0\.1:\d+: /,
  );
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
      const asked = async (head: string) => statusOf(await rawHead({ transport: "unix", path }, head));
      equal(await asked("GET /healthz HTTP/1.1\r\nHost: localhost"), 200);
      equal(await asked("GET /healthz HTTP/1.1\r\nHost:"), 200);
      equal(await asked("POST /reload HTTP/1.1\r\nHost:"), 200);
      equal(await asked("POST /reload HTTP/1.1\r\nHost:\r\nOrigin: http://localhost"), 403);
      equal(await asked("GET /healthz HTTP/1.1\r\nHost: evil.example"), 421);
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
      equal(
        statusOf(await rawHead({ transport: "unix", path }, "GET /readyz HTTP/1.1\r\nHost: localhost")),
        200,
      );
    });
  });
});

Deno.test("a gate that is about to listen there is no dead process: its turn is waited for", async () => {
  await withPath(async (path) => {
    const other = new Worker(new URL("../../support/turn_worker.ts", import.meta.url), { type: "module" });
    const tells = () => new Promise((told) => other.onmessage = told);
    const bound = tells();
    other.postMessage(path);
    await bound;
    const address = { host: `unix:${path}`, port: 0 };
    await rejects(withAdmin({ address }, () => Promise.resolve()), /another process listens there/);
    const closed = tells();
    other.postMessage("close");
    await closed;
    other.terminate();
  });
});

Deno.test("closing leaves the socket of who took the path meanwhile", async () => {
  await withPath(async (path) => {
    const address = { host: `unix:${path}`, port: 0 };
    await withAdmin({ address }, async (first) => {
      await Deno.rename(path, `${path}.moved`);
      await withAdmin({ address }, async () => {
        await first.close();
        const to = { transport: "unix", path } as const;
        equal(statusOf(await rawHead(to, "GET /healthz HTTP/1.1\r\nHost: localhost")), 200);
      });
    });
    await Deno.remove(`${path}.moved`);
  });
});

Deno.test({
  name: "another user of the machine sees no trial, begins none and confirms none, and may ask the rest",
  ignore: Deno.uid() !== 0 || !need("curl"),
  async fn() {
    const trial = { id: "x", file: "/etc/ugate.yaml", text: "secret", left: 60_000 };
    await withAdmin(having({ trial }), async (admin) => {
      const as = async (uid: number, ...args: string[]) => {
        const url = `http://${admin.addresses[0]}${args.pop()}`;
        const { stdout } = await new Deno.Command("curl", {
          args: ["-s", "-w", "%{http_code}", ...args, url],
          uid,
        }).output();
        return new TextDecoder().decode(stdout);
      };
      for (const args of [["/trial"], ["-d", "x", "/reload?confirm=1000"], ["-X", "POST", "/confirm?id=x"]]) {
        const said = await as(65534, ...args);
        equal(said, `Cannot answer: trials are for root and the gate's own user, and user 65534 asks\n403`);
      }
      ok((await as(65534, "/healthz")).endsWith("200"));
      ok((await as(0, "/trial")).endsWith("200"));
    });
  },
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
