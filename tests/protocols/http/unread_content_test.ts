/** Requests with content that the gate answers itself: whether their connection goes on, and that nothing is mistaken. */
import { equal, ok } from "../../support/assert.ts";
import { run } from "../../support/child.ts";
import { startGate } from "../../support/gate.ts";
import { readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

const startAnswering = (limits = "") =>
  startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { host: a, path: /moved, redirect: { path: /there } }
  - { host: a, path: /next, respond: { body: next } }
  - { host: a, respond: { status: 403 } }
limits: { idleTimeout: 10s${limits} }
`);
const NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
const LONG = "x".repeat(64 * 1024);

/** What is sent, in pieces, and whether the next request on the connection is answered. */
const CASES: readonly (readonly [name: string, goesOn: boolean, ...pieces: string[]])[] = [
  ["a length, all there", true, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"],
  [
    "what looks like a request",
    true,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${NEXT.length}\r\n\r\n${NEXT}`,
  ],
  ["a length, later", true, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "he", "llo"],
  ["a redirect", true, "POST /moved HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "hello"],
  ["nobody's route", true, "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"],
  [
    "as much as is waited for",
    true,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LONG.length}\r\n\r\n`,
    LONG,
  ],
  [
    "chunks, all there",
    true,
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
  ],
  ["HTTP/1.0", true, "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"],
  ["chunks, later", false, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunks that are none", false, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
  ["a long one", false, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LONG.length + 1}\r\n\r\n`],
  [
    "one that waits",
    false,
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  ],
  [
    "one that waits no longer",
    true,
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
  ],
  ["close", false, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"],
];

Deno.test("a little content is thrown away and the connection goes on; else it ends behind the answer", async () => {
  await using gate = await startAnswering();
  for (const [name, goesOn, first, ...pieces] of CASES) {
    await using client = await connect(gate.port("web"));
    await client.write(first);
    const { status, head } = await readResponse(client);
    ok([403, 302, 404].includes(status), name);
    equal(/^connection: close\r$/im.test(head), !goesOn, name);
    equal(/^connection: keep-alive\r$/im.test(head), name === "HTTP/1.0", name);
    for (const piece of pieces) await client.write(piece);
    if (goesOn) {
      await client.write(NEXT);
      equal((await readResponse(client)).content, "next", name);
      client.end();
    } else equal((await client.readAll()).length, 0, name);
    equal((await gate.record()).outcome === "ok", name !== "nobody's route" || goesOn, name);
  }
});

Deno.test("a request is told of when it is answered; what was thrown away then counts for the connection", async () => {
  await using gate = await startAnswering();
  await using client = await connect(gate.port("web"));
  const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  await client.write(head);
  await readResponse(client);
  await gate.request(({ status }) => status === 403);
  await client.write("hello");
  client.end();
  equal((await gate.record()).up, head.length + 5);
  equal(gate.requests.map(({ up, status }) => [up, status]), [[0, 403]]);
});

Deno.test("a client that announces content and does not send it is waited for, but not for long", async () => {
  await using gate = await startAnswering(", bodyTimeout: 200ms");
  await using client = await connect(gate.port("web"));
  await client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  equal((await readResponse(client)).status, 403);
  equal((await client.readAll()).length, 0);
  equal((await gate.record()).outcome, "ok");
});

Deno.test("pipelined requests with content are answered in their order", async () => {
  await using gate = await startAnswering();
  await using client = await connect(gate.port("web"));
  const post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  await client.write((post + NEXT).repeat(20));
  for (let i = 0; i < 20; i++) {
    equal((await readResponse(client)).status, 403);
    equal((await readResponse(client)).content, "next");
  }
});

Deno.test("curl keeps its connection over answers to uploads, and reads the answer to a large one", async () => {
  await using gate = await startAnswering();
  const url = `http://127.0.0.1:${gate.port("web")}`, host = ["-H", "Host: a"];
  const { stderr, stdout } = await run("curl", [
    ...["-sv", "--max-time", "20", ...host, "-d", "small", `${url}/one`],
    ...["-d", "small", `${url}/moved/x?y=1`, "-w", "%{redirect_url}"],
  ]);
  equal(stderr.match(/< HTTP\/1\.1 (\d+)/g), ["< HTTP/1.1 403", "< HTTP/1.1 302"]);
  ok(/Re-?using existing/i.test(stderr), stderr);
  ok(stdout.endsWith("/there/x?y=1"), stdout);
  const file = await Deno.makeTempFile();
  try {
    for (const [size, ...more] of [[3_000_000], [900_000, "-H", "Expect:"]] as [number, ...string[]][]) {
      await Deno.writeFile(file, new Uint8Array(size));
      const large = await run("curl", [
        "-sv",
        "--max-time",
        "20",
        ...host,
        ...more,
        "-T",
        file,
        `${url}/large`,
      ]);
      ok(/< HTTP\/1\.1 403 Forbidden/.test(large.stderr), large.stderr);
      ok(/< Connection: close/.test(large.stderr), large.stderr);
    }
  } finally {
    await Deno.remove(file);
  }
});
