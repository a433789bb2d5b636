/** `rateLimit` through a running gate. */
import { equal, ok } from "../../support/assert.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect } from "../../support/net.ts";

const configured = (port: number, routes: string, more = "") => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http], proxyProtocol: 127.0.0.1/32 } }
routes: [${routes.replaceAll("$", `to: "http://127.0.0.1:${port}"`)}]
admin: { address: off }
${more}`;

/** The response to one request on a connection of its own. */
async function asked(
  gate: TestGate,
  { source = "192.0.2.1", request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n" } = {},
) {
  await using client = await connect(gate.port("web"));
  await client.write(`PROXY TCP${source.includes(":") ? 6 : 4} ${source} ${source} 4711 80\r\n${request}`);
  const response = await readResponse(client);
  client.end();
  return response;
}

Deno.test("who comes too often gets 429 and hears when to come again; others, and other routes, go on", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(
    configured(upstream.port, "{ $, path: /login, rateLimit: { requests: 3, per: 1h } }, { $ }"),
  );
  const login = { request: "GET /login HTTP/1.1\r\nHost: a.example\r\n\r\n" };
  for (let i = 0; i < 3; i++) equal((await asked(gate, login)).status, 200);
  const { status, head, content } = await asked(gate, login);
  const [, seconds] = /\r\nRetry-After: (\d+)\r\n/.exec(head)!;
  equal([status, content], [429, `exhausted: There were too many requests: come again in ${seconds} s.\n`]);
  ok(Number(seconds) > 1190 && Number(seconds) <= 1200, seconds);
  equal((await asked(gate, { ...login, source: "192.0.2.2" })).status, 200);
  equal((await asked(gate)).status, 200);
  equal(upstream.peers.length, 1); // what was refused never went there, all else over one connection
});

Deno.test("the connection of who is refused goes on, and its hits are counted once each", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const limits = "limits: { bodyTimeout: 500ms }"; // so long content is waited for that never comes
  await using gate = await startGate(
    configured(upstream.port, "{ $, rateLimit: { requests: 1, per: 1h } }", limits),
  );
  await using client = await connect(gate.port("web"));
  const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  await client.write(`PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n${get}${get}${get}`);
  await client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"); // whose content nobody reads
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await readResponse(client)).status);
  equal(statuses, [200, 429, 429, 429]);
  equal((await client.readAll()).length, 0);
  client.end();
  await gate.record();
  equal((await gate.service.status()).limitHits["rateLimit"], 3);
  equal(gate.requests.map(({ status, outcome, side }) => [status, outcome, side]), [
    [200, "ok", undefined],
    ...Array(3).fill([429, "exhausted", "client"]),
  ]);
});

Deno.test("engine threads share one limit", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const text = configured(
    upstream.port,
    "{ $, rateLimit: { requests: 7, per: 1h } }",
    "engine: { threads: 2 }",
  );
  await using gate = await startGate(text);
  await using clients = new AsyncDisposableStack();
  const open: Client[] = [];
  const ofEngine = async (engine: number) =>
    (await gate.service.connections(1000)).connections.filter(({ id }) => id % 2 === engine).length;
  while (open.length < 20 || await ofEngine(0) < 5 || await ofEngine(1) < 5) {
    const client = clients.use(await connect(gate.port("web")));
    await client.write("PROXY TCP4 192.0.2.1 192.0.2.9 4711 80\r\n");
    open.push(client);
  }
  const statuses = await Promise.all(open.map(async (client) => {
    await client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return (await readResponse(client)).status;
  }));
  equal(statuses.filter((status) => status === 200).length, 7);
});

Deno.test("a reload forgets nothing while the route matches the same", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const route = (more: string) => `{ $, host: a.example, ${more} }`;
  await using gate = await startGate(configured(upstream.port, route("rateLimit: { requests: 2, per: 1h }")));
  for (const status of [200, 200, 429]) equal((await asked(gate)).status, status);
  await gate.reload(
    configured(
      upstream.port,
      `{ $, path: /x }, ${route("rateLimit: { requests: 2, per: 1h }, timeout: 5s")}`,
    ),
  );
  equal((await asked(gate)).status, 429);
  await gate.reload(configured(upstream.port, route("rateLimit: { requests: 3, per: 1h }")));
  equal((await asked(gate)).status, 429); // more at once is no more within the hour that began
  await gate.reload(configured(upstream.port, route("timeout: 5s")));
  equal((await asked(gate)).status, 200);
});

Deno.test("IPv6 sources count by /64", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(configured(upstream.port, "{ $, rateLimit: { requests: 1, per: 1h } }"));
  const statuses: number[] = [];
  for (const source of ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]) {
    statuses.push((await asked(gate, { source })).status);
  }
  equal(statuses, [200, 429, 200]);
});

Deno.test("behind a trusted proxy its clients are counted, each for itself, and what others claim is not believed", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const text = configured(upstream.port, "{ $, rateLimit: { requests: 1, per: 1h } }");
  await using gate = await startGate(
    text.replace("proxyProtocol:", "trustedProxies: 192.0.2.1/32, proxyProtocol:"),
  );
  const from = async (source: string, forwarded: string) => {
    const request = `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${forwarded}\r\n\r\n`;
    return (await asked(gate, { source, request })).status;
  };
  equal(await from("192.0.2.1", "203.0.113.1"), 200);
  equal(await from("192.0.2.1", "203.0.113.2"), 200);
  equal(await from("192.0.2.1", "203.0.113.9, 203.0.113.1"), 429);
  equal(await from("192.0.2.2", "203.0.113.7"), 200);
  equal(await from("192.0.2.2", "203.0.113.8"), 429);
});
