/** Targets over TLS: who is believed there, what is pooled, and what a failure tells. */
import https from "node:https";
import type { AddressInfo } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority, type Issued } from "../support/certificates.ts";
import { Folder } from "../support/child.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../support/http_peers.ts";
import { connect, listen } from "../support/net.ts";

const authority = await Authority.make("upstreams"), strangers = await Authority.make("strangers");
const site = await authority.issue(["up.example", "127.0.0.1"]),
  nameless = await authority.issue(["up.example"]);
const caFile = authority.root.chainFile;
openssl(); // it stays open: not in a test

/** A backend of node:https that tells the server name it was asked for and who asked. */
async function backend({ chain, key }: Issued, options: https.ServerOptions = {}) {
  const sockets = new Set<TLSSocket>();
  const server = https.createServer({ cert: chain, key, ...options }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername?: string | false };
    const told = [
      socket.servername || "no name",
      socket.alpnProtocol,
      socket.getPeerCertificate?.()?.subject?.CN,
    ];
    response.end(told.map((each) => each ?? "nobody").join(" "));
  });
  server.on("secureConnection", (socket: TLSSocket) => sockets.add(socket));
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** A backend of TLS that says what it likes. */
async function listenTls({ chain, key }: Issued, serve: (socket: TLSSocket) => void) {
  const sockets = new Set<TLSSocket>();
  const server = tls.createServer({ cert: chain, key }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const match = (text: string, pattern: RegExp) => ok(pattern.test(text), text);

const yaml = (routes: string, more = "") => `
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [${routes}]
admin: { address: "off" }
${more}`;
const route = (to: string, tls = "", host = "a.example") =>
  `{ host: ${host}, to: ${to}${tls && `, upstreamTls: { ${tls} }`} }`;

/** The status and what was answered. */
async function ask(gate: TestGate, host = "a.example"): Promise<[status: number, content: string]> {
  await using client = await connect(gate.port("web"));
  await client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const { status, content } = await readResponse(client);
  return [status, content];
}

/** Why the request that nobody asked about yet failed. */
async function why(gate: TestGate): Promise<string> {
  const line = await gate.request((line) => line.outcome !== "ok" && !asked.has(line));
  asked.add(line);
  return `${line.outcome} ${line.side} ${line.cause}`;
}
const asked = new Set<object>();

Deno.test("a target is believed under its host, or the name that is given, by the roots that are given", async () => {
  await using server = await backend(site);
  const to = `"https://127.0.0.1:${server.port}"`, named = `"https://up.example:${server.port}"`;
  const where =
    "hosts: { up.example: { addresses: [127.0.0.1] }, wrong.example: { addresses: [127.0.0.1] } }";
  const ca = `ca: "${caFile}"`;
  await using gate = await startGate(yaml(route(to, ca), where));
  equal(await ask(gate), [200, "no name http/1.1 nobody"]);
  await gate.reload(yaml(route(to, `${ca}, serverName: up.example`), where));
  equal(await ask(gate), [200, "up.example http/1.1 nobody"]);
  await gate.reload(yaml(route(named, ca), where));
  equal(await ask(gate), [200, "up.example http/1.1 nobody"]);
  await gate.reload(yaml(route(`[${to}, { to: ${named}, weight: 9 }]`, ca), where));
  equal((await ask(gate))[0], 200);

  await gate.reload(yaml(route(`"https://wrong.example:${server.port}"`, ca), where));
  equal(await ask(gate), [502, "refused: The destination refused the connection.\n"]);
  equal(
    await why(gate),
    `refused upstream Cannot speak TLS to wrong.example:${server.port} as "wrong.example": ` +
      "Cannot believe the certificate of the upstream: hostname mismatch",
  );
  await gate.reload(yaml(route(to, `${ca}, serverName: 127.0.0.2`), where));
  equal((await ask(gate))[0], 502);
  match(await why(gate), /IP address mismatch/);
  for (const tls of ["", `ca: "${strangers.root.chainFile}"`]) {
    await gate.reload(yaml(route(to, tls), where));
    equal((await ask(gate))[0], 502);
    match(await why(gate), /^refused upstream .*unable to get local issuer/);
  }
  await gate.reload(yaml(route(`"https://wrong.example:${server.port}"`, "insecure: true"), where));
  equal(await ask(gate), [200, "wrong.example http/1.1 nobody"]);
});

Deno.test("a target that asks who this gate is gets its certificate", async () => {
  const me = await authority.issue(["gate.example"]), rogue = await strangers.issue(["gate.example"]);
  await using server = await backend(site, {
    ca: authority.root.chain,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const to = `"https://127.0.0.1:${server.port}"`;
  const as = ({ chainFile, keyFile }: Issued) =>
    `ca: "${caFile}", certificate: "${chainFile}", key: "${keyFile}"`;
  await using gate = await startGate(yaml(route(to, as(me))));
  equal(await ask(gate), [200, "no name http/1.1 gate.example"]);
  for (const tls of [as(rogue), `ca: "${caFile}"`]) {
    await gate.reload(yaml(route(to, tls)));
    equal((await ask(gate))[0], 502);
    match(await why(gate), / upstream /);
  }
});

Deno.test("idle upstreams serve who speaks to them in the same way alone, in clear or over TLS", async () => {
  await using server = await backend(site);
  await using clear = await rawUpstream(echoRequests);
  const to = `"https://127.0.0.1:${server.port}"`, ca = `ca: "${caFile}"`;
  await using gate = await startGate(yaml([
    route(to, ca, "one.example"),
    route(to, ca, "same.example"),
    route(to, `${ca}, serverName: up.example`, "named.example"),
    route(to, "insecure: true", "any.example"),
    route(`[${to}, "http://127.0.0.1:${clear.port}"]`, ca, "both.example"),
  ].join(", ")));
  const connections = async (host: string) => {
    equal((await ask(gate, host))[0], 200);
    return server.sockets.size;
  };
  const counts: number[] = [];
  for (const host of ["one", "one", "same", "named", "named", "any", "one", "any"]) {
    counts.push(await connections(`${host}.example`));
  }
  equal(counts, [1, 1, 1, 2, 2, 3, 3, 3]);
  for (let i = 0; i < 20; i++) equal((await ask(gate, "both.example"))[0], 200);
  equal([server.sockets.size, clear.peers.length], [3, 1]);
});

Deno.test("certificates of targets are read again when they change, also who this gate is", async () => {
  await using folder = await Folder.make();
  await using server = await backend(site);
  const ca = await folder.write("ca.pem", strangers.root.chain);
  const text = yaml(route(`"https://127.0.0.1:${server.port}"`, `ca: "${ca}"`));
  await using gate = await startGate(text);
  equal((await ask(gate))[0], 502);
  equal((await gate.reload(text)).result, "unchanged");
  await folder.write("ca.pem", authority.root.chain);
  equal((await gate.reload(text)).result, "applied");
  equal((await ask(gate))[0], 200);
});

Deno.test("what answers no TLS, nothing at all, or ends, is no target over TLS", async () => {
  const limits = "limits: { handshakeTimeout: 300ms }";
  const outcomes: [serve: Parameters<typeof listen>[0], status: number, cause: RegExp][] = [
    [(socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"), 502, /^malformed upstream .*Cannot finish/],
    [(socket) => socket.once("data", () => socket.end()), 502, /^closed upstream .*ended in the middle/],
    [(socket) => socket.once("data", () => socket.resetAndDestroy()), 502, /^reset upstream/],
    [(socket) => socket.resume(), 504, /^timeout upstream .*not within 300 ms/],
  ];
  for (const [serve, status, cause] of outcomes) {
    await using server = await listen(serve);
    await using gate = await startGate(
      yaml(route(`"https://127.0.0.1:${server.port}"`, "insecure: true"), limits),
    );
    equal((await ask(gate))[0], status);
    match(await why(gate), cause);
  }
});

Deno.test("a target that is not believed is passed over where there is another", async () => {
  await using good = await backend(site);
  await using bad = await backend(await strangers.issue(["127.0.0.1"]));
  await using gate = await startGate(
    yaml(
      route(
        `[{ to: "https://127.0.0.1:${bad.port}", weight: 1000 }, "https://127.0.0.1:${good.port}"]`,
        `ca: "${caFile}"`,
      ),
    ),
  );
  for (let i = 0; i < 10; i++) equal((await ask(gate))[0], 200);
});

Deno.test("the PROXY header comes in front of TLS", async () => {
  const seen = Promise.withResolvers<string>();
  await using server = await listen((socket) =>
    socket.once("data", (bytes) => {
      seen.resolve(bytes.toString("latin1"));
      socket.destroy();
    })
  );
  await using gate = await startGate(
    yaml(`{ to: "https://127.0.0.1:${server.port}", proxyProtocol: v1, upstreamTls: { insecure: true } }`),
  );
  equal((await ask(gate))[0], 502);
  ok(
    /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n/.test(await seen.promise),
    await seen.promise,
  );
});

Deno.test("a client that goes away while its target shakes hands leaves nothing behind", async () => {
  const came = Promise.withResolvers<void>(), closed = Promise.withResolvers<void>();
  await using server = await listen((socket) => {
    socket.once("data", () => came.resolve());
    socket.once("close", () => closed.resolve());
  });
  await using gate = await startGate(yaml(route(`"https://127.0.0.1:${server.port}"`, "insecure: true")));
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  await came.promise;
  client.reset();
  await closed.promise;
  equal((await gate.record()).outcome, "reset");
});

Deno.test("a name that is only in a certificate's IPs is none, and an IP is none that only names have", async () => {
  await using server = await backend(nameless);
  const ca = `ca: "${caFile}"`;
  await using gate = await startGate(yaml(route(`"https://127.0.0.1:${server.port}"`, ca)));
  equal((await ask(gate))[0], 502);
  match(await why(gate), /IP address mismatch/);
  await gate.reload(yaml(route(`"https://127.0.0.1:${server.port}"`, `${ca}, serverName: up.example`)));
  equal((await ask(gate))[0], 200);
});

Deno.test("bytes behind a response over TLS are no response to anybody, also in the same turn", async () => {
  await using server = await listenTls(site, (socket) => {
    socket.once("data", () => {
      const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
      socket.write(answer("ok") + answer("evil"));
      socket.on("data", () => socket.write(answer("late")));
    });
  });
  await using gate = await startGate(yaml(route(`"https://127.0.0.1:${server.port}"`, "insecure: true")));
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(3));
  for (let i = 0; i < 3; i++) equal((await readResponse(client)).content, "ok");
  equal(server.sockets.size, 3);
});
