import { equal, ok, rejects } from "../support/assert.ts";
import { DnsServer, zone } from "../support/dns_server.ts";
import { engineWorker, startGate } from "../support/gate.ts";
import { type Client, connect, listen, listenEcho, socks, type TestServer } from "../support/net.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";

openssl(); // stays loaded

const OFF = `admin: { address: "off" }`;
const LISTENER = `listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }`;
const freePort = async (): Promise<number> => {
  await using server = await listenEcho();
  return server.port;
};

/** Whether bytes come back. */
async function echoes(client: Client, text = "x"): Promise<boolean> {
  try {
    await client.write(text);
    return new TextDecoder().decode(await client.read(text.length)) === text;
  } catch {
    return false;
  }
}

/** How a cut connection looks to its client. */
const cut = (client: Client): Promise<string> =>
  client.readAll().then(() => "ended", (error) => String(error.code));

const says = (what: string): Promise<TestServer> => listen((socket) => socket.end(what));

async function answer(port: number): Promise<string> {
  await using client = await connect(port);
  return await client.text();
}

Deno.test("a reload changes where new connections go, and keeps those that are there", async () => {
  await using echo = await listenEcho();
  await using other = await says("other");
  await using gate = await startGate(
    `listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }
${OFF}`,
  );
  const port = gate.port("fwd");
  await using client = await connect(port);
  equal(await echoes(client), true);
  const { result, changes } = await gate.reload(
    `listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${other.port}" } }\n${OFF}`,
  );
  equal([result, changes], ["applied", ["routes: 1 new, 1 gone"]]);
  equal(gate.port("fwd"), port);
  equal(await echoes(client), true);
  equal(await answer(port), "other");
  equal((await gate.reload(gate.disk.text)).result, "unchanged");
});

Deno.test("a configuration with mistakes changes nothing, and tells all of them", async () => {
  await using echo = await listenEcho();
  const text = `listeners: { fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" } }\n${OFF}`;
  await using gate = await startGate(text);
  const { result, problems } = await gate.reload(
    `listeners: { fwd: { addres: ":0" } }\nlimits: { grace: soon }\n${OFF}`,
  );
  equal(result, "refused");
  ok(problems.length >= 2, problems.join("\n"));
  await using client = await connect(gate.port("fwd"));
  equal(await echoes(client), true);
  equal((await gate.reload(text)).result, "unchanged");
});

Deno.test("listeners come, go and move while their connections live on", async () => {
  await using echo = await listenEcho();
  const to = `to: "127.0.0.1:${echo.port}"`;
  const [from, next] = [await freePort(), await freePort()];
  await using gate = await startGate(`
listeners: { moves: { address: "127.0.0.1:${from}", ${to} }, goes: { address: "127.0.0.1:0", ${to} } }
${OFF}`);
  const gone = gate.port("goes");
  await using moving = await connect(from);
  await using leaving = await connect(gone);
  equal([await echoes(moving), await echoes(leaving)], [true, true]);
  const { changes } = await gate.reload(`
listeners: { moves: { address: "127.0.0.1:${next}", ${to} }, comes: { address: "127.0.0.1:0", ${to} } }
${OFF}`);
  ok(
    changes.includes(`listener moves: on 127.0.0.1:${next} instead of 127.0.0.1:${from}`),
    changes.join("\n"),
  );
  equal([await echoes(moving), await echoes(leaving)], [true, true]);
  for (const port of [next, gate.port("comes")]) {
    await using client = await connect(port);
    equal(await echoes(client), true);
  }
  for (const port of [from, gone]) await rejects(connect(port), /ECONNREFUSED/);
});

Deno.test("an address that another listener has now is handed over with those who wait there", async () => {
  await using old = await says("old");
  await using young = await says("young");
  const port = await freePort();
  const text = (name: string, server: TestServer) =>
    `listeners: { ${name}: { address: "127.0.0.1:${port}", to: "127.0.0.1:${server.port}" } }\n${OFF}`;
  await using gate = await startGate(text("old", old));
  equal(await answer(port), "old");
  equal((await gate.reload(text("young", young))).result, "applied");
  equal(await answer(port), "young");
  equal((await gate.record(({ listener }) => listener === "young")).outcome, "ok");
});

Deno.test("an address that is taken refuses the whole configuration", async () => {
  await using echo = await listenEcho();
  await using taken = await listenEcho();
  const to = `to: "127.0.0.1:${echo.port}"`;
  await using gate = await startGate(`listeners: { fwd: { address: "127.0.0.1:0", ${to} } }\n${OFF}`);
  const { result, problems } = await gate.reload(`
listeners: { new: { address: "127.0.0.1:0", ${to} }, busy: { address: "127.0.0.1:${taken.port}", ${to} } }
${OFF}`);
  equal([result, problems.length], ["refused", 1]);
  ok(problems[0].includes(`Cannot listen on 127.0.0.1:${taken.port}`), problems[0]);
  equal(gate.service.listening.map(({ listener }) => listener), ["fwd"]);
  await using client = await connect(gate.port("fwd"));
  equal(await echoes(client), true);
});

Deno.test("a listener grows from one address to all of the same port, and back", async () => {
  await using echo = await listenEcho();
  const port = await freePort();
  const text = (address: string) =>
    `listeners: { fwd: { address: "${address}:${port}", to: "127.0.0.1:${echo.port}" } }\n${OFF}`;
  await using gate = await startGate(text("127.0.0.1"));
  await using client = await connect(port);
  equal(await echoes(client), true);
  for (const address of ["", "127.0.0.1", ""]) {
    equal((await gate.reload(text(address))).result, "applied", address);
    equal(gate.service.listening.map(({ address }) => address), [`${address}:${port}`]);
    await using fresh = await connect(port);
    equal([await echoes(fresh), await echoes(client)], [true, true]);
  }
});

Deno.test("policy that is taken away cuts exactly what lost its right, and the journal says so", async () => {
  await using a = await listenEcho();
  await using b = await listenEcho();
  const text = (ports: string) => `
listeners:
  far: { address: "127.0.0.1:0", protocols: [socks], proxyProtocol: ["192.0.2.0/24"] }
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${a.port}" }
policy: [ { allow: { listener: far, addresses: ["127.0.0.0/8"], ports: ${ports} } } ]
${OFF}`;
  await using gate = await startGate(text(`[${a.port}, ${b.port}]`));
  await using stays = await connect(gate.port("far"));
  await using goes = await connect(gate.port("far"));
  await using routed = await connect(gate.port("fwd"));
  await socks(stays, "127.0.0.1", a.port);
  await socks(goes, "127.0.0.1", b.port);
  equal([await echoes(stays), await echoes(goes), await echoes(routed)], [true, true, true]);
  equal((await gate.reload(text(`[${a.port}]`))).changes, ["policy: 1 new, 1 gone"]);
  equal(await cut(goes), "ECONNRESET");
  const record = await gate.record();
  equal([record.outcome, record.target, record.side], ["denied", `127.0.0.1:${b.port}`, "gate"]);
  ok(record.cause?.includes("Cannot go on: policy refuses it now, by the default"), record.cause);
  equal([await echoes(stays), await echoes(routed)], [true, true]);
});

Deno.test("a source that is denied now is cut wherever it is, routed and silent ones too", async () => {
  await using echo = await listenEcho();
  const text = (policy: string) => `
listeners:
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }
  edge: { address: "127.0.0.1:0", protocols: [socks, ssh], sniffTimeout: 30s }
policy: [${policy}]
${OFF}`;
  await using gate = await startGate(text(""));
  await using routed = await connect(gate.port("fwd"));
  await using silent = await connect(gate.port("edge"));
  equal(await echoes(routed), true);
  await gate.reload(text(`{ deny: { listener: fwd, sources: "127.0.0.1" } }`));
  equal(await cut(routed), "ECONNRESET");
  await gate.reload(text(`{ deny: { sources: "127.0.0.1" } }`));
  equal(await cut(silent), "ECONNRESET");
  equal((await gate.record(({ listener }) => listener === "edge")).outcome, "denied");
});

Deno.test("routes that go away cut nobody", async () => {
  await using echo = await listenEcho();
  const edge = `listeners: { edge: { address: "127.0.0.1:0", protocols: [ssh] } }`;
  await using gate = await startGate(
    `${edge}\nroutes: [ { protocol: ssh, to: "127.0.0.1:${echo.port}" } ]\n${OFF}`,
  );
  await using client = await connect(gate.port("edge"));
  equal(await echoes(client, "SSH-2.0-test\r\n"), true);
  await using elsewhere = await says("SSH-2.0-other\r\n");
  await gate.reload(`${edge}\nroutes: [ { protocol: ssh, to: "127.0.0.1:${elsewhere.port}" } ]\n${OFF}`);
  equal(await echoes(client, "still"), true);
});

/** SOCKS5 with a password (RFC 1929) to a port of loopback. */
async function login(port: number, user: string, password: string, target: number): Promise<Client> {
  const client = await connect(port);
  const bytes = (text: string) => [text.length, ...new TextEncoder().encode(text)];
  await client.write(Uint8Array.of(5, 1, 2));
  equal([...await client.read(2)], [5, 2]);
  await client.write(Uint8Array.of(1, ...bytes(user), ...bytes(password)));
  equal([...await client.read(2)], [1, 0]);
  await client.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255));
  equal((await client.read(10))[1], 0);
  return client;
}

Deno.test("a user who is taken away, or whose password is another one, is cut; others stay", async () => {
  await using echo = await listenEcho();
  const text = (users: string) => `
listeners: { proxy: { address: "127.0.0.1:0", protocols: [socks], users: { ${users} } } }
${OFF}`;
  await using gate = await startGate(text("alice: one, bob: two, carol: three"));
  const port = gate.port("proxy");
  await using alice = await login(port, "alice", "one", echo.port);
  await using bob = await login(port, "bob", "two", echo.port);
  await using carol = await login(port, "carol", "three", echo.port);
  await gate.reload(text("alice: one, bob: other"));
  equal([await cut(bob), await cut(carol)], ["ECONNRESET", "ECONNRESET"]);
  equal(await echoes(alice), true);
  const causes = [await gate.record(), await gate.record()].map(({ cause, outcome }) =>
    `${outcome}: ${cause}`
  );
  equal(
    new Set(causes),
    new Set(["denied: Cannot go on: its user, or the password it gave, was taken away"]),
  );
  await using again = await login(port, "bob", "other", echo.port);
  equal(await echoes(again), true);
});

Deno.test("what is counted stays counted over reloads: limits, loads, listeners", async () => {
  await using echo = await listenEcho();
  const text = (more: string) => `
listeners:
  ${more}
  fwd: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}", limits: { connections: 2 } }
${OFF}`;
  await using gate = await startGate(text(""));
  const port = gate.port("fwd");
  const first = await connect(port);
  equal(await echoes(first), true);
  const added = `aaa: { address: "127.0.0.1:0", to: "127.0.0.1:${echo.port}" }`; // sorted before: numbers must not move
  for (const more of [added, "", added]) {
    equal((await gate.reload(text(more))).result, "applied");
    const { listeners, endpoints } = await gate.service.status();
    equal(listeners.find(({ listener }) => listener === "fwd")!.active, 1);
    equal(endpoints.find(({ endpoint }) => endpoint === `127.0.0.1:${echo.port}`)!.active, 1);
  }
  await using second = await connect(port);
  equal(await echoes(second), true);
  await using third = await connect(port);
  equal(await echoes(third), false);
  await first[Symbol.asyncDispose]();
  await gate.record(({ outcome }) => outcome !== "exhausted");
  await using fourth = await connect(port);
  equal(await echoes(fourth), true);
});

Deno.test("a right that is taken away while a name is still being resolved, is gone when the answer comes", async () => {
  await using echo = await listenEcho();
  const answer = Promise.withResolvers<void>(), asked = Promise.withResolvers<void>();
  const known = zone([{ name: "slow.test", type: "A", data: "127.0.0.1" }]);
  await using dns = await DnsServer.start((question) => {
    asked.resolve();
    const replies = known(question);
    return [replies ?? []].flat().map((reply) => ({ ...reply, after: answer.promise }));
  });
  const text = (addresses: string) => `
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
dns: { servers: ["127.0.0.1:${dns.target.port}"] }
policy: [ { allow: { hosts: "slow.test", addresses: ["${addresses}"] } }, { deny: { hosts: "slow.test" } } ]
${OFF}`;
  await using gate = await startGate(text("127.0.0.0/8"));
  await using client = await connect(gate.port("local"));
  const reply = socks(client, "slow.test", echo.port).then(() => "0", (error) => error.message);
  await asked.promise;
  equal((await gate.reload(text("10.0.0.0/8"))).result, "applied");
  answer.resolve();
  equal(await reply, "socks reply 2");
  equal((await gate.record()).outcome, "denied");
});

Deno.test("who waits for a name while a reload replaces what is asked, is answered by what holds then", async () => {
  await using echo = await listenEcho();
  const asked = Promise.withResolvers<void>(), never = Promise.withResolvers<void>();
  const known = zone([{ name: "slow.test", type: "A", data: "127.0.0.2" }]);
  await using dns = await DnsServer.start((question) => {
    asked.resolve();
    return [known(question) ?? []].flat().map((reply) => ({ ...reply, after: never.promise }));
  });
  const text = (hosts: string) => `
${LISTENER}
dns: { servers: ["127.0.0.1:${dns.target.port}"] }
hosts: { ${hosts} }
policy: [ { allow: { hosts: "slow.test", addresses: ["127.0.0.0/8"] } } ]
${OFF}`;
  await using gate = await startGate(text(""));
  await using client = await connect(gate.port("local"));
  const reply = socks(client, "slow.test", echo.port).then(() => "0", (error) => error.message);
  await asked.promise;
  equal((await gate.reload(text(`slow.test: { addresses: ["127.0.0.1"] }`))).result, "applied");
  equal(await reply, "0");
  equal(await echoes(client), true);
  never.resolve();
});

Deno.test("what goes through an upstream proxy is judged again by the name that was asked for", async () => {
  await using echo = await listenEcho();
  await using far = await startGate(`
listeners: { far: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { a.behind: { addresses: ["127.0.0.1"] }, b.behind: { addresses: ["127.0.0.1"] } }
${OFF}`);
  const text = (policy: string) => `
listeners: { local: { address: "127.0.0.1:0", protocols: [socks] } }
hosts: { "*.behind": { via: "127.0.0.1:${far.port("far")}", layers: [socks] } }
policy: [${policy}]
${OFF}`;
  await using gate = await startGate(text(""));
  await using a = await connect(gate.port("local"));
  await using b = await connect(gate.port("local"));
  await socks(a, "a.behind", echo.port);
  await socks(b, "b.behind", echo.port);
  await gate.reload(text(`{ deny: { hosts: "b.behind" } }`));
  equal(await cut(b), "ECONNRESET");
  equal(await echoes(a), true);
});

Deno.test("what takes a restart is told for as long as what runs is not what the file says", async () => {
  const text = (threads: number, grace: number) =>
    `${LISTENER}\nengine: { threads: ${threads} }\nlimits: { grace: ${grace}s }\n${OFF}`;
  await using gate = await startGate(text(1, 1));
  const warnings = async (threads: number, grace: number) =>
    (await gate.reload(text(threads, grace))).warnings;
  const told = (all: readonly string[]) => all.filter((text) => text.startsWith("engine.threads")).length;
  equal(told(await warnings(2, 1)), 1);
  equal(told(await warnings(2, 2)), 1);
  equal(told(await warnings(1, 2)), 0);
});

Deno.test("an address of the admin page becomes a listener's in two reloads, and back; one says who has it", async () => {
  await using echo = await listenEcho();
  const [page, other] = [await freePort(), await freePort()];
  const text = (admin: number, fwd: string) => `
listeners: { fwd: { address: "${fwd}", to: "127.0.0.1:${echo.port}" } }
admin: { address: "127.0.0.1:${admin}" }`;
  await using gate = await startGate(text(page, `127.0.0.1:${other}`));
  const isPlace = /^test\.yaml:\d+:\d+ listeners\.fwd\.address: /;
  const becomes = async (admin: number, fwd: string) => {
    const { result, problems } = await gate.reload(text(admin, fwd));
    return problems.length > 0 ? problems[0].replace(isPlace, "").replace(/: [^:]*$/, "") : result;
  };
  const third = await freePort();
  const has = (port: string, owner: string) =>
    `Cannot listen on ${port}: this gate's own ${owner} has it, and has to leave it in a reload before this one`;
  equal((await becomes(third, `:${page}`)).split(": Cannot")[0], has(`:${page}`, "admin page"));
  equal(
    (await becomes(other, `127.0.0.1:${third}`)).split(": admin.address: Cannot")[0],
    has(`127.0.0.1:${other}`, "listener fwd"),
  );
  for (const fwd of [`127.0.0.1:${other}`, `:${page}`]) equal(await becomes(third, fwd), "applied");
  await using client = await connect(page);
  equal(await echoes(client), true);
});

Deno.test("the admin page answers before the gate has started, that it starts", async () => {
  const go = Promise.withResolvers<void>(), port = await freePort();
  const worker = () => {
    const engine = engineWorker(), post = engine.postMessage.bind(engine);
    engine.postMessage = (message: unknown, ports: unknown) =>
      void go.promise.then(() => post(message, ports as Transferable[]));
    return engine;
  };
  const starting = startGate(`${LISTENER}\nadmin: { address: "127.0.0.1:${port}" }`, {}, worker);
  const ask = async (path: string, method = "GET"): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [answer.status, await answer.text()];
  };
  const starts: [number, string] = [503, "Cannot do this yet: the gate starts\n"];
  try {
    const late = performance.now() + 10_000;
    while (!await ask("/readyz").then(() => true, () => false)) ok(performance.now() < late, "no page");
    equal(await ask("/readyz"), [503, "not ready\n"]);
    for (const path of ["/status", "/metrics", "/connections"]) equal(await ask(path), starts, path);
    equal(await ask("/reload", "POST"), starts);
  } finally {
    go.resolve();
  }
  await using gate = await starting;
  equal([(await ask("/status"))[0], (await ask("/readyz"))[0]], [200, 200]);
  equal((await gate.service.status()).configuration.lastReload, undefined);
});
