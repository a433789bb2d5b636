/** Requests for whole URLs on a listener that is a proxy: where they go, who may send them, and what nobody is told. */
import { equal, ok } from "../../support/assert.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { echoRequests, type RawUpstream, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { type Client, connect, listenEcho } from "../../support/net.ts";

/** Asks for a URL, and answers with the status and the content. */
async function get(client: Client, url: string, fields = ""): Promise<[number, string]> {
  const host = new URL(url).host;
  await client.write(`GET ${url} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const { status, content } = await readResponse(client);
  return [status, content];
}

const hosts = (upstreams: Readonly<Record<string, RawUpstream>>) =>
  Object.entries(upstreams).map(([name, { port }]) => `${name}: { addresses: ["127.0.0.1:${port}"] }`).join();

/** A proxy for this machine, to which these names are known. */
const proxy = (upstreams: Readonly<Record<string, RawUpstream>>, more = "") =>
  startGate(`
listeners: { proxy: { address: "127.0.0.1:0", protocols: [connect, http]${more} } }
hosts: { ${hosts(upstreams)} }
admin: { address: "off" }
`);

const basic = (user: string, password: string) =>
  `Proxy-Authorization: Basic ${btoa(`${user}:${password}`)}\r\n`;

Deno.test("a request goes to where its URL says, as an origin server wants it, and tells nothing of its client", async () => {
  await using upstream = await rawUpstream();
  await using gate = await proxy({ "a.test": upstream });
  await using client = await connect(gate.port("proxy"));
  await client.write(
    "GET http://A.test/x%2Fy?q=/../1 HTTP/1.1\r\nHost: other.test\r\nAccept: */*\r\nProxy-Connection: keep-alive\r\n" +
      "Proxy-Authorization: Basic eDp5\r\nVia: 1.0 first\r\nX-Forwarded-For: 192.0.2.1\r\nRemote-User: root\r\n" +
      "X-Request-Id: mine\r\n\r\n",
  );
  const peer = await upstream.next();
  equal(
    await peer.head(),
    "GET /x%2Fy?q=/../1 HTTP/1.1\r\nHost: A.test\r\nAccept: */*\r\nVia: 1.0 first\r\nX-Request-Id: mine\r\n" +
      "Via: 1.1 ugate\r\n\r\n",
  );
  peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  equal((await readResponse(client)).content, "ok");
  await client.write("OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 7\r\n\r\n");
  equal(
    await peer.head(),
    "OPTIONS * HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 6\r\nVia: 1.1 ugate\r\n\r\n",
  );
  peer.write("HTTP/1.1 204 No Content\r\n\r\n");
  equal((await readResponse(client)).status, 204);
  await client.write("TRACE http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n");
  equal((await readResponse(client)).status, 501);
});

Deno.test("one connection asks for several hosts; an upstream serves it alone, as long as it asks for the same", async () => {
  await using a = await rawUpstream(echoRequests);
  await using b = await rawUpstream(echoRequests);
  await using gate = await proxy({ "a.test": a, "b.test": b });
  await using client = await connect(gate.port("proxy"));
  for (const url of ["http://a.test/1", "http://a.test/2", "http://b.test/3", "http://a.test/4"]) {
    equal(await get(client, url), [200, `${new URL(url).pathname} `]);
  }
  equal([a.peers.length, b.peers.length], [2, 1]);
  await using other = await connect(gate.port("proxy"));
  equal(await get(other, "http://a.test/5"), [200, "/5 "]);
  equal(a.peers.length, 3);
  const body = "x".repeat(100_000);
  await other.write(
    `POST http://a.test/p HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  equal((await readResponse(other)).content, `/p ${body}`);
});

Deno.test("an upstream that closed between two requests costs no request", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await peer.head();
    peer.socket.destroy();
  });
  await using gate = await proxy({ "a.test": upstream });
  await using client = await connect(gate.port("proxy"));
  for (let i = 0; i < 3; i++) equal(await get(client, "http://a.test/"), [200, "ok"]);
  equal(upstream.peers.length, 3);
});

Deno.test("a listener with users asks each request who it is, and keeps that to itself", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await proxy({ "a.test": upstream }, ", users: { alice: secret, bob: other }");
  await using client = await connect(gate.port("proxy"));
  await client.write("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
  const { status, head } = await readResponse(client);
  equal([status, /^proxy-authenticate: basic realm="ugate"/im.test(head)], [407, true]);
  equal((await get(client, "http://a.test/", basic("alice", "wrong")))[0], 407);
  equal(await get(client, "http://a.test/1", basic("alice", "secret")), [200, "/1 "]);
  equal((await get(client, "http://a.test/", ""))[0], 407);
  equal(await get(client, "http://a.test/2", basic("alice", "secret")), [200, "/2 "]);
  equal(await get(client, "http://a.test/3", basic("bob", "other")), [200, "/3 "]);
  client.end();
  await gate.record();
  equal(gate.requests.map(({ status, outcome }) => [status, outcome]), [
    [407, "unauthenticated"],
    [407, "unauthenticated"],
    [200, "ok"],
    [407, "unauthenticated"],
    [200, "ok"],
    [200, "ok"],
  ]);
  ok(gate.messages.every((message) => !message.includes("secret")));
});

/** A proxy for everybody, with what policy says. */
const open = (upstreams: Readonly<Record<string, RawUpstream>>, policy: string, more = "") => `
listeners: { proxy: { address: "0.0.0.0:0", protocols: [http, connect]${more} } }
hosts: { ${hosts(upstreams)} }
policy: [${policy}]
admin: { address: "off" }
`;

Deno.test("policy judges the name, the port, the user and the protocol, each time, and the default is no", async () => {
  await using a = await rawUpstream(echoRequests);
  await using b = await rawUpstream(echoRequests);
  const rules = "{ allow: { protocol: http, user: alice, hosts: a.test, ports: 80 } }, " +
    "{ allow: { protocol: http, user: bob, hosts: b.test } }, { allow: { protocol: connect, ports: 443 } }";
  await using gate = await startGate(
    open({ "a.test": a, "b.test": b }, rules, ", users: { alice: x, bob: y }"),
  );
  await using client = await connect(gate.port("proxy"));
  const alice = basic("alice", "x"), bob = basic("bob", "y");
  const tried: [string, string, number][] = [
    ["http://a.test/", alice, 200],
    ["http://a.test/", bob, 403], // not over the upstream that alice's request left either
    ["http://b.test/", bob, 200],
    ["http://b.test/", alice, 403],
    ["http://a.test:8080/", alice, 403],
    ["http://c.test/", alice, 403],
    ["http://169.254.169.254/", alice, 403],
    ["http://0x7f000001/", bob, 403],
  ];
  for (const [url, who, status] of tried) equal((await get(client, url, who))[0], status, url);
  equal([a.peers.length, b.peers.length], [1, 1]);
});

Deno.test("the gate's own listeners and the metadata of clouds are refused on loopback too", async () => {
  await using gate = await proxy({});
  await using client = await connect(gate.port("proxy"));
  const own = gate.port("proxy");
  for (
    const host of [`127.0.0.1:${own}`, `0x7f000001:${own}`, `[::ffff:127.0.0.1]:${own}`, "169.254.169.254"]
  ) {
    equal((await get(client, `http://${host}/`))[0], 403, host);
  }
});

Deno.test("what is no request for a URL of http goes elsewhere, or nowhere", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners:
  proxy: { address: "127.0.0.1:0", protocols: [connect, http] }
  web: { address: "127.0.0.1:0", protocols: [http] }
  tunnel: { address: "127.0.0.1:0", protocols: [connect] }
routes: [{ host: a.test, to: "http://127.0.0.1:${upstream.port}" }]
admin: { address: "off" }
`);
  const ask = async (listener: string, target: string, host = "a.test") => {
    await using client = await connect(gate.port(listener));
    await client.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return await readResponse(client);
  };
  const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status;
  equal(await status("proxy", "https://a.test/"), 501);
  equal(await status("proxy", "http://a.test:0/"), 400);
  equal(await status("proxy", "/by-host"), 200);
  equal(await status("proxy", "/", "b.test"), 404);
  equal([await status("web", "http://a.test/"), await status("web", "http://b.test/")], [200, 404]);
  const refused = await ask("tunnel", "http://a.test/");
  equal([refused.status, refused.content.includes("need http beside it")], [501, true]);
});

Deno.test("a route that names the protocol is the operator's word on where a name is, and policy judges the name", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const route = `routes: [{ protocol: http, host: a.test, to: "127.0.0.1:${upstream.port}" }]`;
  await using gate = await startGate(open({}, "{ allow: { hosts: a.test } }") + route);
  await using client = await connect(gate.port("proxy"));
  equal(await get(client, "http://a.test/x"), [200, "/x "]);
  equal((await get(client, "http://b.test/x"))[0], 403);
});

Deno.test("who lost the right is cut, and asks in vain from then on", async () => {
  await using a = await rawUpstream(echoRequests);
  const before = open({ "a.test": a }, "{ allow: { hosts: a.test } }");
  await using gate = await startGate(before);
  await using client = await connect(gate.port("proxy"));
  equal(await get(client, "http://a.test/"), [200, "/ "]);
  const { result } = await gate.reload(open({ "a.test": a }, "{ allow: { hosts: b.test } }"));
  equal(result, "applied");
  equal((await gate.record()).outcome, "denied");
  await using again = await connect(gate.port("proxy"));
  equal((await get(again, "http://a.test/"))[0], 403);
});

/** The status of the answer to CONNECT; what follows 200 is the tunnel's. */
async function tunnel(client: Client, target: string, fields = ""): Promise<number> {
  await client.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${fields}\r\n`);
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += String.fromCharCode((await client.read(1))[0]);
  return Number(head.slice(9, 12));
}

Deno.test("behind requests for URLs comes a CONNECT on the same connection, and opens a tunnel", async () => {
  await using a = await rawUpstream(echoRequests);
  await using echo = await listenEcho();
  await using gate = await proxy({ "a.test": a });
  await using client = await connect(gate.port("proxy"));
  equal(await get(client, "http://a.test/1"), [200, "/1 "]);
  await client.write("\r\n"); // as old clients end the content of a request
  equal(await tunnel(client, `127.0.0.1:${echo.port}`), 200);
  await a.peers[0].until(({ ended }) => ended); // what was kept for the next request is not kept for the tunnel
  await client.write("GET / HTTP/1.1 is no request any more");
  equal(new TextDecoder().decode(await client.read(37)), "GET / HTTP/1.1 is no request any more");
  client.end();
  const { protocol, target, endpoint, outcome, down } = await gate.record();
  equal([protocol, target, outcome], ["connect", `127.0.0.1:${echo.port}`, "ok"]);
  equal([endpoint, down > 37], [target, true]);
});

Deno.test("a CONNECT behind other requests of its connection is judged as CONNECT, and its user has to log in for it", async () => {
  await using a = await rawUpstream(echoRequests);
  await using echo = await listenEcho();
  const own = `127.0.0.1:${echo.port}`;
  const rules = "{ allow: { protocol: http, hosts: a.test } }, " +
    `{ allow: { protocol: connect, user: bob, addresses: 127.0.0.1, ports: ${echo.port} } }`;
  await using gate = await startGate(open({ "a.test": a }, rules, ", users: { alice: x, bob: y }"));
  const behind = async (target: string, fields = "") => {
    await using client = await connect(gate.port("proxy"));
    equal((await get(client, "http://a.test/", basic("bob", "y")))[0], 200);
    return await tunnel(client, target, fields);
  };
  equal(await behind(own, basic("bob", "y")), 200);
  equal(await behind(own, basic("alice", "x")), 403);
  equal(await behind("a.test:80", basic("bob", "y")), 403); // which http may, and connect may not
  equal(await behind(own), 407);
  equal(await behind("a.test", basic("bob", "y")), 400);
});

Deno.test("a tunnel behind requests holds by its own right: theirs may go, and without its own it is cut", async () => {
  await using a = await rawUpstream(echoRequests);
  await using echo = await listenEcho();
  const forHttp = "{ allow: { protocol: http, hosts: a.test } }, ";
  const forConnect = `{ allow: { protocol: connect, addresses: 127.0.0.1, ports: ${echo.port} } }`;
  await using gate = await startGate(open({ "a.test": a }, forHttp + forConnect));
  await using client = await connect(gate.port("proxy"));
  equal((await get(client, "http://a.test/"))[0], 200);
  equal(await tunnel(client, `127.0.0.1:${echo.port}`), 200);
  equal((await gate.reload(open({ "a.test": a }, forConnect))).result, "applied");
  await client.write("still here");
  equal(new TextDecoder().decode(await client.read(10)), "still here");
  const other = forConnect.replace(String(echo.port), "1");
  equal((await gate.reload(open({ "a.test": a }, forHttp + other))).result, "applied");
  const { outcome, protocol } = await gate.record();
  equal([outcome, protocol], ["denied", "connect"]);
});

Deno.test("a CONNECT behind requests that routes took is served where the listener proxies, and nowhere else", async () => {
  await using a = await rawUpstream(echoRequests);
  await using echo = await listenEcho();
  await using gate = await startGate(`
listeners:
  both: { address: "127.0.0.1:0", protocols: [http, connect] }
  web: { address: "127.0.0.1:0", protocols: [http] }
routes: [{ to: "http://127.0.0.1:${a.port}" }]
admin: { address: "off" }
`);
  const behind = async (listener: string) => {
    await using client = await connect(gate.port(listener));
    await client.write("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    equal((await readResponse(client)).content, "/x ");
    return await tunnel(client, `127.0.0.1:${echo.port}`);
  };
  equal([await behind("both"), await behind("web")], [200, 501]);
});

Deno.test("an upgrade becomes a tunnel", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    ok(/^upgrade: websocket/im.test(await peer.head()));
    peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    peer.write(`${await peer.content(4)}!`);
    peer.socket.end();
  });
  await using gate = await proxy({ "a.test": upstream });
  await using client = await connect(gate.port("proxy"));
  await client.write(
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  equal((await readResponse(client)).status, 101);
  await client.write("ping");
  equal(new TextDecoder().decode(await client.read(5)), "ping!");
  client.end();
  equal((await gate.record()).outcome, "ok");
});

Deno.test("a target that cannot be reached is the proxy's 502, and the connection goes on", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await proxy({ "a.test": upstream });
  const { port } = await rawUpstream().then(async (gone) => (await gone[Symbol.asyncDispose](), gone));
  await using client = await connect(gate.port("proxy"));
  equal((await get(client, `http://127.0.0.1:${port}/`))[0], 502);
  equal(await get(client, "http://a.test/"), [200, "/ "]);
});

Deno.test("behind a trusted proxy policy judges the client that it tells of, and so does who counts wrong passwords", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const rules = "{ deny: { sources: 192.0.2.0/24 } }, { allow: { user: alice } }";
  const listener = ", users: { alice: x }, trustedProxies: 127.0.0.1";
  await using gate = await startGate(open({ "a.test": upstream }, rules, listener));
  await using client = await connect(gate.port("proxy"));
  const of = (source: string, password = "x") => `X-Forwarded-For: ${source}\r\n${basic("alice", password)}`;
  equal((await get(client, "http://a.test/1", of("198.51.100.1")))[0], 200);
  equal((await get(client, "http://a.test/2", of("192.0.2.1")))[0], 403);
  equal((await get(client, "http://a.test/3", of("198.51.100.1")))[0], 200);
  let status = 407;
  for (let i = 0; status === 407 && i < 50; i++) {
    [status] = await get(client, "http://a.test/", of("198.51.100.2", `wrong${i}`));
  }
  equal(status, 429);
  equal((await get(client, "http://a.test/4", of("198.51.100.1")))[0], 200);
});

Deno.test("a request that is refused before its way is known has not the last one's", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [connect, http], users: { alice: secret } } }
routes: [{ to: "http://127.0.0.1:${upstream.port}" }]
admin: { address: "off" }
`);
  await using client = await connect(gate.port("web"));
  await client.write("GET /routed HTTP/1.1\r\nHost: a.test\r\n\r\n");
  equal((await readResponse(client)).status, 200);
  equal((await get(client, "http://a.test/named"))[0], 407);
  const routed = await gate.request(({ path }) => path === "/routed");
  ok(routed.route?.endsWith(" routes[0]") && routed.endpoint === `127.0.0.1:${upstream.port}`);
  const named = await gate.request(({ path }) => path === "/named");
  equal([named.status, named.route || undefined, named.endpoint || undefined], [407, undefined, undefined]);
});

Deno.test("these requests have a route of their own in the numbers", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate: TestGate = await proxy({ "a.test": upstream });
  await using client = await connect(gate.port("proxy"));
  await get(client, "http://a.test/");
  await get(client, "http://169.254.169.254/");
  const { requests } = await gate.service.status();
  equal(requests.map(({ route, active, statuses }) => [route, active, statuses["2xx"], statuses["4xx"]]), [
    ["proxy", 0, 1, 1],
  ]);
});

Deno.test("a CONNECT behind other requests gives back the slot that was for requests, or finds none", async () => {
  await using echo = await listenEcho();
  await using backend = await rawUpstream(echoRequests);
  await using gate = await startGate(`
listeners: { proxy: { address: "127.0.0.1:0", protocols: [http, connect] } }
policy: [{ allow: { addresses: 127.0.0.1, ports: [${echo.port}, ${backend.port}] } }]
limits: { connections: 3, reserve: { http: 2 }, dialTimeout: 2s }
`);
  const url = `http://127.0.0.1:${backend.port}/`, tunnel = `CONNECT 127.0.0.1:${echo.port} HTTP/1.1\r\n`;
  const asks = async () => {
    const client = await connect(gate.port("proxy"));
    equal((await get(client, url))[0], 200);
    return client;
  };
  const clients = [await asks(), await asks(), await asks()]; // the first one in the slot that is for anybody
  await clients[0][Symbol.asyncDispose]();
  await gate.record(({ protocol }) => protocol === "http");
  await clients[1].write(`${tunnel}Host: a\r\n\r\n`);
  await clients[1].readTo("\r\n\r\n");
  clients[0] = await asks(); // in the slot that came free
  await clients[2].write(`${tunnel}Host: a\r\n\r\n`);
  equal((await clients[2].readAll()).length, 0);
  clients[2].end();
  const { outcome, cause } = await gate.record(({ outcome }) => outcome === "exhausted");
  equal([outcome, cause], ["exhausted", "Cannot serve a connection: the free slots are for other protocols"]);
  for (const client of clients) await client[Symbol.asyncDispose]();
});
