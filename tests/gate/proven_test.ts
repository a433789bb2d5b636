/** What a client has proved, and a reload takes away: it is worth nothing on connections that are there already. */
import net from "node:net";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { hashPassword } from "../../gate/passwords.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { run } from "../support/child.ts";
import { echoRequests, type RawPeer, rawUpstream, readResponse } from "../support/http_peers.ts";
import { TestIssuer } from "../support/issuer.ts";
import { type Client, connect, listen } from "../support/net.ts";
import { connectSecure } from "../support/tls_clients.ts";

const authority = await Authority.make("proven");
const other = await Authority.make("other");
const site = await authority.issue(["a.example"]);
const friend = await authority.issue(["friend.example"]);
const both = `${authority.folder.path}/both.pem`;
await Deno.writeTextFile(both, authority.root.chain + other.root.chain);
openssl(); // it stays open: not in a test

const secure = (port: number, clients: string, auth = "auth: { certificate: true }") => `
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http]${clients} } }
routes: [{ host: a.example, to: "http://127.0.0.1:${port}"${auth && `, ${auth}`} }]
certificates: [{ cert: "${site.chainFile}", key: "${site.keyFile}" }]
`;
const asking = (file: string, require = false): string =>
  `, clientCertificates: { ca: "${file}", require: ${require} }`;

const shown = (gate: TestGate, certificate: typeof friend | undefined) =>
  connectSecure({
    port: gate.port("edge"),
    servername: "a.example",
    ca: authority.root.chain,
    cert: certificate?.chain,
    key: certificate?.key,
  });

async function get(client: Client, fields = "", path = "/"): Promise<number> {
  await client.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
  return (await readResponse(client)).status;
}

/** How a connection looks to its client that the gate ended: nothing more comes of it. */
const cut = (client: Client): Promise<string> => client.readAll().then(() => "cut", () => "cut");

/** The engines have it too: a count goes behind the snapshot. */
async function reload(gate: TestGate, text: string): Promise<void> {
  const { result, problems } = await gate.reload(text);
  equal(result, "applied", problems.join("\n"));
  await gate.service.status();
}

Deno.test("whose authority a reload takes away is cut, and whose stays is not", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const { port } = upstream, first = asking(authority.root.chainFile);
  await using gate = await startGate(secure(port, first));
  await using known = await shown(gate, friend);
  await using nobody = await shown(gate, undefined);
  equal([await get(known.client), await get(nobody.client)], [200, 403]);
  await reload(gate, secure(port, asking(both)));
  equal([await get(known.client), await get(nobody.client)], [200, 403]);
  await reload(gate, secure(port, asking(other.root.chainFile)));
  equal(await cut(known.client), "cut");
  equal(await get(nobody.client), 403);
  const { cause } = await gate.record(({ outcome, protocol }) => outcome === "denied" && protocol === "http");
  ok(cause?.includes("who vouches for its certificate may have been taken away"), cause);
});

Deno.test("who showed no certificate is cut where the listener requires one now", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const { port } = upstream;
  await using gate = await startGate(secure(port, asking(authority.root.chainFile), ""));
  await using known = await shown(gate, friend);
  await using nobody = await shown(gate, undefined);
  equal([await get(known.client), await get(nobody.client)], [200, 200]);
  await reload(gate, secure(port, asking(authority.root.chainFile, true), ""));
  equal(await get(known.client), 200);
  equal(await cut(nobody.client), "cut");
});

Deno.test("a handshake that a reload overtakes lets nobody in by an authority that is gone", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const { port } = upstream;
  await using gate = await startGate(secure(port, asking(authority.root.chainFile)));
  const released = Promise.withResolvers<void>(), held = Promise.withResolvers<void>();
  await using slow = await listen((socket) => {
    const way = net.connect(gate.port("edge"), "127.0.0.1");
    way.on("error", () => {}).on("close", () => socket.destroy()).pipe(socket);
    socket.once("data", (hello) => {
      way.write(hello);
      socket.on("data", (bytes) => { // its certificate
        held.resolve();
        released.promise.then(() => way.write(bytes));
      });
    });
    socket.on("close", () => way.destroy());
  });
  const secured = connectSecure({
    port: slow.port,
    servername: "a.example",
    ca: authority.root.chain,
    cert: friend.chain,
    key: friend.key,
  });
  const answer = secured.then(async (client) => {
    await using _client = client;
    return await get(client.client);
  }).catch(() => "cut");
  await held.promise;
  await reload(gate, secure(port, asking(other.root.chainFile)));
  released.resolve();
  equal([await answer, upstream.peers.length], ["cut", 0]);
});

/** Every request becomes a tunnel, which sends back what it gets. */
async function echoTunnel(peer: RawPeer): Promise<void> {
  await peer.head();
  peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  peer.socket.pipe(peer.socket);
}

const basic = (user: string, password: string): string =>
  `Authorization: Basic ${btoa(`${user}:${password}`)}\r\n`;

async function upgrade(client: Client, fields = "", path = "/live"): Promise<Client> {
  await client.write(
    `GET ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${fields}\r\n`,
  );
  equal((await readResponse(client)).status, 101);
  return client;
}

async function echoes(client: Client): Promise<boolean> {
  await client.write("ping");
  return new TextDecoder().decode(await client.read(4)) === "ping";
}

const clear = (routes: string, listener = "", more = "") => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http]${listener} } }
routes: [${routes}]
${more}
`;

Deno.test("the tunnel of a user who is taken away is cut, and those of others go on", async () => {
  await using upstream = await rawUpstream(echoTunnel);
  const to = `to: "http://127.0.0.1:${upstream.port}"`;
  const text = (users: string, path = "/live") =>
    clear(`{ path: /open, ${to} }, { path: ${path}, ${to}, auth: { basic: ${users} } }`);
  await using gate = await startGate(text("{ alice: one, bob: one, carol: one }"));
  const open = async (path: string, fields = "") =>
    await upgrade(await connect(gate.port("web")), fields, path);
  await using anybody = await open("/open/live");
  await using alice = await open("/live", basic("alice", "one"));
  await using bob = await open("/live", basic("bob", "one"));
  await using carol = await open("/live", basic("carol", "one"));
  await reload(gate, text("{ alice: one, bob: two }"));
  equal([await cut(bob), await cut(carol)], ["cut", "cut"]);
  equal([await echoes(alice), await echoes(anybody)], [true, true]);
  await reload(gate, text("{ alice: one, dave: three }", "/elsewhere")); // routes that change cut nobody
  equal([await echoes(alice), await echoes(anybody)], [true, true]);
  await reload(gate, text("{ dave: three }", "/elsewhere"));
  equal([await cut(alice), await echoes(anybody)], ["cut", true]);
  const { cause } = await gate.record();
  ok(cause?.includes("what it proved itself with was taken away"), cause);
});

Deno.test("the same holds for a response that does not end, and not behind one that has ended", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const stream = (await peer.head()).startsWith("GET /stream");
      peer.write(`HTTP/1.1 200 OK\r\n${stream ? "" : "Content-Length: 0\r\n"}\r\n${stream ? "event" : ""}`);
    }
  });
  const text = (users: string) =>
    clear(`{ to: "http://127.0.0.1:${upstream.port}", auth: { basic: ${users} } }`);
  await using gate = await startGate(text("{ alice: one, bob: one }"));
  await using streaming = await connect(gate.port("web"));
  await using idle = await connect(gate.port("web"));
  await streaming.write(`GET /stream HTTP/1.1\r\nHost: a.example\r\n${basic("alice", "one")}\r\n`);
  while (!new TextDecoder().decode(await streaming.read(1)).endsWith("t")) continue;
  equal(await get(idle, basic("alice", "one")), 200);
  await reload(gate, text("{ bob: one }"));
  equal(await cut(streaming), "cut");
  equal([await get(idle, basic("alice", "one")), await get(idle, basic("bob", "one"))], [401, 200]);
});

Deno.test("a reload that takes nobody away cuts nobody whose password is being verified just then", async () => {
  await using upstream = await rawUpstream(echoRequests);
  const names = Array.from({ length: 8 }, (_, i) => `user${i}`), hash = await hashPassword("one");
  const users = `{ ${names.map((name) => `${name}: "${hash}"`).join(", ")} }`;
  const text = (more: string) =>
    clear(`${more}{ to: "http://127.0.0.1:${upstream.port}", auth: { basic: ${users} } }`);
  await using gate = await startGate(text(""));
  await using stack = new AsyncDisposableStack();
  const clients = await Promise.all(names.map(() => connect(gate.port("web"))));
  for (const client of clients) stack.use(client);
  const asked = Promise.all(clients.map((client, i) => get(client, basic(names[i], "one"))));
  for (let round = 0; round < 3; round++) {
    await reload(gate, text(`{ path: /round${round}, respond: { status: 204 } }, `));
  }
  equal(await asked, names.map(() => 200));
});

Deno.test("a tunnel ends with the token that it was opened with, and with the rule that believed it", async () => {
  await using upstream = await rawUpstream(echoTunnel);
  await using issuer = await TestIssuer.start();
  const text = (audience: string) =>
    clear(
      `{ to: "http://127.0.0.1:${upstream.port}", auth: { jwt: { issuer: "${issuer.name}", audiences: [${audience}] } } }`,
      "",
      `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`,
    );
  await using gate = await startGate(text("app"));
  const bearer = async (claims = {}) => `Authorization: Bearer ${await issuer.token(claims)}\r\n`;
  await using lasting = await upgrade(await connect(gate.port("web")), await bearer());
  const soon = Math.floor(Date.now() / 1000) - 29; // within what clocks may differ
  await using brief = await upgrade(await connect(gate.port("web")), await bearer({ exp: soon }));
  equal(await cut(brief), "cut");
  const { cause, outcome } = await gate.record();
  equal([outcome, cause?.includes("validity")], ["denied", true]);
  equal(await echoes(lasting), true);
  await reload(gate, text("other"));
  equal(await cut(lasting), "cut");
});

Deno.test("a tunnel of whom a trusted proxy tells is judged by that address", async () => {
  await using upstream = await rawUpstream(echoTunnel);
  const text = (policy: string) =>
    clear(
      `{ to: "http://127.0.0.1:${upstream.port}" }`,
      ", trustedProxies: 127.0.0.1",
      `policy: [${policy}]`,
    );
  await using gate = await startGate(text(""));
  const from = async (address: string) =>
    await upgrade(await connect(gate.port("web")), `X-Forwarded-For: ${address}\r\n`);
  await using one = await from("192.0.2.1");
  await using two = await from("192.0.2.2");
  await reload(gate, text("{ deny: { sources: 192.0.2.1 } }"));
  equal([await cut(one), await echoes(two)], ["cut", true]);
});

/** Answers requests, and makes a tunnel of who wants one. */
async function serveBoth(peer: RawPeer): Promise<void> {
  for (;;) {
    const upgrades = /^upgrade:/im.test(await peer.head());
    peer.write(
      upgrades
        ? "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    if (upgrades) return;
  }
}

/** A request of openssl's client over a session that it keeps in a file, or has kept there: all that it prints. */
async function overSession(gate: TestGate, { chainFile, keyFile }: typeof friend, how: "out" | "in") {
  const client = ["-servername", "a.example", "-cert", chainFile, "-key", keyFile, "-ign_eof"];
  const session = [`-sess_${how}`, `${chainFile}.session`, "-connect", `127.0.0.1:${gate.port("edge")}`];
  const stdin = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
  return (await run("openssl", ["s_client", ...client, ...session], { stdin })).stdout;
}

/** Connections of a client whose certificate is good for so many seconds, or for as many as that takes. */
async function withBrief(gate: TestGate, seconds: number) {
  const end = Date.now() + seconds * 1000, brief = await authority.issueUntil("brief", new Date(end));
  try {
    const asks = await shown(gate, brief), tunnel = await shown(gate, brief);
    equal(await get(asks.client), 200);
    await upgrade(tunnel.client);
    ok((await overSession(gate, brief, "out")).includes("HTTP/1.1 200 OK"));
    return { brief, asks, tunnel, end };
  } catch (thrown) {
    if (Date.now() < end) throw thrown;
    return await withBrief(gate, seconds * 2);
  }
}

Deno.test("so is one that a client of a proxy has by way of another, and by the address of that one too", async () => {
  await using upstream = await rawUpstream(echoTunnel);
  const allow = "{ allow: { addresses: 127.0.0.0/8 } }";
  const text = (deny: string) => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http, connect], trustedProxies: 127.0.0.1 } }
policy: [${deny}${allow}]
`;
  for (const denied of ["192.0.2.1", "127.0.0.1"]) {
    await using gate = await startGate(text(""));
    const url = `http://127.0.0.1:${upstream.port}/live`;
    await using client = await upgrade(
      await connect(gate.port("web")),
      "X-Forwarded-For: 192.0.2.1\r\n",
      url,
    );
    await reload(gate, text("{ deny: { sources: 192.0.2.9 } }, "));
    equal(await echoes(client), true);
    await reload(gate, text(`{ deny: { sources: ${denied} } }, `));
    equal(await cut(client), "cut", denied);
  }
});

Deno.test("a certificate that expires is worth nothing from then on: for requests, a tunnel, and a session", async () => {
  await using upstream = await rawUpstream(serveBoth);
  await using gate = await startGate(secure(upstream.port, asking(authority.root.chainFile, true), ""));
  const { brief, asks, tunnel, end } = await withBrief(gate, 4);
  await using _asks = asks, _tunnel = tunnel;
  equal(await cut(tunnel.client), "cut");
  await new Promise((later) => setTimeout(later, Math.max(0, end + 1000 - Date.now())));
  const { length } = upstream.peers;
  equal(await get(asks.client), 403);
  const resumed = await overSession(gate, brief, "in");
  ok(/^Reused, TLS/m.test(resumed) && resumed.includes("HTTP/1.1 403 "), resumed);
  equal(upstream.peers.length, length);
});
