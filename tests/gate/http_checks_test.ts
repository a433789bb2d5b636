/** Health checks that ask by HTTP, through a running gate. */
import https from "node:https";
import type { AddressInfo } from "node:net";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { startGate, type TestGate } from "../support/gate.ts";
import { type RawPeer, rawUpstream, readResponse } from "../support/http_peers.ts";
import { connect } from "../support/net.ts";

openssl(); // it stays open: not in a test

/** A backend that says its name, and answers its checks with what `health` is by then. */
async function backend(name: string) {
  const state = {
    health: (peer: RawPeer) => peer.write("HTTP/1.1 204 No Content\r\n\r\n"),
    checks: [] as string[],
  };
  const upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const head = await peer.head();
      if (head.includes(" /healthz")) {
        state.checks.push(head);
        state.health(peer);
      } else peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    }
  });
  return Object.assign(upstream, { state });
}

async function asked(gate: TestGate): Promise<string> {
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  const { content } = await readResponse(client);
  client.end();
  return content;
}

async function until(gate: TestGate, name: string): Promise<void> {
  const late = performance.now() + 30_000;
  while (await asked(gate) !== name) {
    ok(performance.now() < late, `not ${name} in 30 s`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const gateTo = (first: number, second: number, more = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - to: [{ to: "http://127.0.0.1:${first}", weight: 1000 }, "http://127.0.0.1:${second}"]
    check: { interval: 50ms, timeout: 1s, path: "/healthz?now" }
    ${more}
admin: { address: off }
`);

Deno.test("who answers its check badly, wrongly or not at all is left out until it does well", async () => {
  await using first = await backend("first");
  await using second = await backend("second");
  await using gate = await gateTo(first.port, second.port);
  const bad: ((peer: RawPeer) => void)[] = [
    (peer) => peer.write("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"),
    (peer) => peer.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    (peer) => peer.write("HTTP/1.1 100 Continue\r\n\r\n"),
    (peer) => peer.write("220 mail.example ESMTP\r\n"),
    (peer) => peer.socket.destroy(),
    () => {},
  ];
  for (const health of bad) {
    first.state.health = health;
    await until(gate, "second");
    first.state.health = (peer) =>
      peer.write("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /\r\n\r\n");
    await until(gate, "first");
  }
  const told = gate.messages.filter((message) => message.startsWith(`endpoint 127.0.0.1:${first.port} `));
  ok(told.some((message) => message.includes("/healthz?now is answered with 503")), told.join("\n"));
});

Deno.test("a check asks for its path of the route's host, or of the target where the route has none", async () => {
  await using first = await backend("first");
  await using second = await backend("second");
  for (
    const [more, host] of [["host: a.example", "a.example"], ["host: '*.example'", undefined], [
      "",
      undefined,
    ]]
  ) {
    first.state.checks.length = 0;
    await using _gate = await gateTo(first.port, second.port, more);
    while (first.state.checks.length === 0) await new Promise((done) => setTimeout(done, 10));
    equal(
      first.state.checks[0],
      `GET /healthz?now HTTP/1.1\r\nHost: ${host ?? `127.0.0.1:${first.port}`}\r\nUser-Agent: ugate\r\n` +
        "Connection: close\r\n\r\n",
    );
  }
});

/** The same over TLS, by node. */
async function secureBackend(name: string, certificate: https.ServerOptions) {
  const state = { status: 200, checks: 0 };
  const server = https.createServer(certificate, ({ url }, response) => {
    const isCheck = url === "/healthz";
    state.checks += Number(isCheck);
    response.writeHead(isCheck ? state.status : 200).end(name);
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    port: (server.address() as AddressInfo).port,
    state,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

Deno.test("a target over TLS is asked over TLS, and has to be believed there", async () => {
  const authority = await Authority.make("checks");
  const { chain: cert, key } = await authority.issue(["127.0.0.1"]);
  await using first = await secureBackend("first", { cert, key });
  await using second = await secureBackend("second", { cert, key });
  const ca = `upstreamTls: { ca: "${authority.root.chainFile}" }`;
  const [a, b] = [first, second].map(({ port }) => `https://127.0.0.1:${port}`);
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { to: [{ to: "${a}", weight: 1000 }, "${b}"], check: { interval: 50ms, timeout: 1s, path: /healthz }, ${ca} }
admin: { address: off }
`);
  await until(gate, "first");
  first.state.status = 500;
  await until(gate, "second");
  first.state.status = 200;
  await until(gate, "first");
  const { checks } = first.state;
  await gate.reload(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: ["${a}"], check: { interval: 50ms, timeout: 1s, path: /healthz } }]
admin: { address: off }
`);
  const left = `endpoint 127.0.0.1:${first.port} is left out`;
  while (!gate.messages.some((message) => message.startsWith(left) && message.includes("Cannot speak TLS"))) {
    await new Promise((done) => setTimeout(done, 20));
  }
  ok(checks > 0);
});
