import { equal, ok } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { echoRequests, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

const gateTo = (port: number, more = "", limits = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}"${more} }]
limits: { idleTimeout: 10s${limits} }
`);

Deno.test("requests of one connection are answered one after the other, over one upstream connection", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  for (const path of ["/one", "/two"]) {
    await client.write(`GET ${path}?q=1 HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    const { status, content } = await readResponse(client);
    equal([status, content], [200, `${path}?q=1 `]);
  }
  await client.write("POST /three HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello");
  equal((await readResponse(client)).content, "/three hello");
  equal(upstream.peers.length, 1);
  client.end();
  equal((await gate.record()).outcome, "ok");
});

Deno.test("what goes up is the request, without what ends at this hop, and with where it came from", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write(
    "GET http://B.example/a//b?c HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n" +
      "X-Forwarded-For: 1.2.3.4\r\nX_Real_IP: 1\r\nRemote-User: root\r\nForwarded: for=1\r\nVia: 1.0 old\r\n" +
      "Proxy-Authorization: Basic eA==\r\nX-Request-Id: abc\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nTE: gzip\r\n\r\n",
  );
  const head = await (await upstream.next()).head();
  const [, trace] = /\r\ntraceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-00\r\n/.exec(head)!;
  ok(!/^0+$/.test(trace));
  equal(
    head.replace(/traceparent: .*\r\n/, ""),
    "GET /a//b?c HTTP/1.1\r\nHost: B.example\r\nVia: 1.0 old\r\nX-Request-Id: abc\r\n" +
      "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" +
      `X-Forwarded-Host: B.example\r\nX-Forwarded-Port: ${gate.port("web")}\r\n` +
      'Forwarded: for=127.0.0.1;host="B.example";proto=http\r\nVia: 1.1 ugate\r\n\r\n',
  );
});

Deno.test("a request makes a line of its own: what was asked, where it went, and how it ended", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  await client.write("POST /a?secret HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi");
  await readResponse(client);
  client.end();
  const { id, up, down } = await gate.record();
  const [line] = gate.requests;
  equal([line.id, line.method, line.host, line.path, line.status, line.up, line.down, line.outcome], [
    ...[id, "POST", "a.example", "/a", 200],
    ...[2, 12, "ok"],
  ]);
  equal(line.endpoint, `127.0.0.1:${upstream.port}`);
  ok(line.route!.includes("routes[0]") && /^[0-9a-f]{32}$/.test(line.requestId));
  ok(up > 60 && down > 40);
});

Deno.test("pipelined requests are answered in their order", async () => {
  await using upstream = await rawUpstream(echoRequests);
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
  const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`;
  await client.write(paths.map(post).join(""));
  for (const path of paths) equal((await readResponse(client)).content, `${path} abc`);
});

Deno.test("a response of every framing comes as it was sent, and the connection stays where it can", async () => {
  const answers: Record<string, readonly [answer: string, content: string, close?: boolean]> = {
    length: ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"],
    empty: ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""],
    chunked: [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
      "abc",
    ],
    none: ["HTTP/1.1 204 No Content\r\n\r\n", ""],
    unchanged: ["HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""],
    interim: ["HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", ""],
    old: ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"],
    end: ["HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", true],
  };
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const [answer, , close] = answers[(await peer.head()).split(/[ /]+/)[1]];
      peer.write(answer);
      if (close) peer.socket.end();
    }
  });
  await using gate = await gateTo(upstream.port);
  await using client = await connect(gate.port("web"));
  for (const [name, [, content, close]] of Object.entries(answers)) {
    await client.write(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const response = await readResponse(client);
    equal(response.content, content, name);
    equal(/connection: close/i.test(response.head), close ?? false, name);
    if (response.status === 103) equal((await readResponse(client)).content, "x");
  }
});

Deno.test("who has thousands of requests on their way does not keep others waiting", async () => {
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ respond: { body: ok } }]
`);
  const many = 9000, busy = 6;
  await using other = await connect(gate.port("web"));
  const flood = "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n".repeat(many);
  await using stack = new AsyncDisposableStack();
  const floods = await Promise.all(Array.from({ length: busy }, () => connect(gate.port("web"))));
  for (const client of floods) {
    stack.use(client);
    void client.write(flood).then(() => client.end());
  }
  const all = Promise.all(floods.map((client) => client.readAll()));
  await gate.request(({ path }) => path === "/flood");
  await other.write("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
  equal((await readResponse(other)).status, 200);
  await all;
  await gate.request(() => gate.requests.length === many * busy + 1);
  const at = gate.requests.findIndex(({ path }) => path === "/other");
  ok(at < many * busy * 0.9, `it was answered behind ${at} others`);
});

Deno.test("an upload that is always there, in tiny chunks, does not keep others waiting", async () => {
  await using upstream = await rawUpstream((peer) => {
    peer.socket.removeAllListeners("data");
    peer.socket.resume();
  });
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ path: /upload, to: "http://127.0.0.1:${upstream.port}" }, { respond: { body: ok } }]
`);
  await using busy = await connect(gate.port("web"));
  await using other = await connect(gate.port("web"));
  await busy.write("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  await upstream.next();
  const chunks = "1\r\na\r\n".repeat(2_000_000);
  let over = false;
  const uploading = busy.write(chunks).then(() => over = true);
  for (let asked = 0; asked < 3; asked++) {
    await other.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    equal((await readResponse(other)).status, 200);
  }
  ok(!over, "the upload was over before anybody else was answered");
  await uploading;
});
