/** Compressed responses, through a gate. */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { need } from "../../../scripts/clients.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder, succeed } from "../../support/child.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { type RawPeer, rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";
import { seeded } from "../../support/random.ts";

const TEXT = "all work and no play makes jack a dull boy\n".repeat(100);
const gateTo = (port: number, codings = "[zstd, gzip]") =>
  startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${port}", compress: ${codings} }]
limits: { idleTimeout: 10s }
`);

/** Answers every request with this head's lines and content. */
const answering = (fields: string, content = TEXT, status = "200 OK") => async (peer: RawPeer) => {
  for (;;) {
    const head = await peer.head();
    const length = /\r\nContent-Length: |^Content-Length: /.test(fields)
      ? ""
      : `Content-Length: ${content.length}\r\n`;
    const body = head.startsWith("HEAD") || status.startsWith("304") ? "" : content;
    peer.write(`HTTP/1.1 ${status}\r\n${fields.replaceAll("\n", "\r\n")}\r\n${length}\r\n${body}`);
  }
};

async function get(gate: TestGate, fields = "Accept-Encoding: gzip", first = "GET / HTTP/1.1") {
  await using client = await connect(gate.port("web"));
  await client.write(`${first}\r\nHost: a\r\n${fields}\r\n\r\n`);
  return await readResponse(client, first.startsWith("HEAD"));
}
const fieldOf = (head: string, name: string) => new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];
const gunzip = (content: string) => gunzipSync(Buffer.from(content, "latin1")).toString("latin1");

const DATE = "Thu, 01 Jan 2026 00:00:00 GMT";

Deno.test("what compresses is compressed, and the head says what it is then", async () => {
  await using upstream = await rawUpstream(
    answering(
      `Content-Type: text/html; charset=utf-8\nETag: "x"\nAccept-Ranges: bytes\nX-Other: 1\nDate: ${DATE}`,
    ),
  );
  await using gate = await gateTo(upstream.port);
  const { status, head, content } = await get(gate);
  equal([status, gunzip(content)], [200, TEXT]);
  ok(content.length < TEXT.length / 10);
  equal(
    head,
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Other: 1\r\n" +
      `Date: ${DATE}\r\nTransfer-Encoding: chunked\r\n` +
      'Vary: Accept-Encoding\r\nETag: W/"x"\r\nContent-Encoding: gzip\r\n\r\n',
  );
});

Deno.test("HEAD says what GET would, and so does 304", async () => {
  await using upstream = await rawUpstream(answering('Content-Type: text/css\nETag: "x"'));
  await using gate = await gateTo(upstream.port);
  const { head } = await get(gate, "Accept-Encoding: gzip", "HEAD / HTTP/1.1");
  equal([fieldOf(head, "Content-Encoding"), fieldOf(head, "ETag"), fieldOf(head, "Vary")], [
    ...["gzip", 'W/"x"', "Accept-Encoding"],
  ]);
  equal(fieldOf(head, "Content-Length"), undefined);
  await using unchanged = await rawUpstream(answering('ETag: "x"', "", "304 Not Modified"));
  await using other = await gateTo(unchanged.port);
  const same = await get(other);
  equal([same.status, fieldOf(same.head, "ETag"), fieldOf(same.head, "Vary")], [
    304,
    'W/"x"',
    "Accept-Encoding",
  ]);
  equal(fieldOf(same.head, "Content-Encoding"), undefined);
});

Deno.test("what is not to be compressed goes on as it came", async () => {
  const small = "x".repeat(1023);
  const cases: readonly [why: string, fields: string, content?: string, status?: string][] = [
    ["no type", "X: 1"],
    ["a picture", "Content-Type: image/png"],
    ["a stream of events", "Content-Type: text/event-stream"],
    ["compressed before", "Content-Type: text/plain\nContent-Encoding: br"],
    ["not to be changed", "Content-Type: text/plain\nCache-Control: private, no-transform"],
    ["small", "Content-Type: text/plain", small],
    ["a part of it that is none", "Content-Type: text/plain\nContent-Range: bytes 0-1/5"],
    ["signed", "Content-Type: text/plain\nRepr-Digest: sha-256=:x:"],
  ];
  for (const [why, fields, content = TEXT, status] of cases) {
    await using upstream = await rawUpstream(answering(fields, content, status));
    await using gate = await gateTo(upstream.port);
    const response = await get(gate);
    equal([response.content, fieldOf(response.head, "Vary")], [content, undefined], why);
  }
});

Deno.test("a client that takes nothing compressed gets it plain, and caches are told", async () => {
  await using upstream = await rawUpstream(answering("Content-Type: application/json\nVary: Origin"));
  await using gate = await gateTo(upstream.port);
  for (const fields of ["X: 1", "Accept-Encoding: gzip;q=0, zstd;q=0", "Accept-Encoding: br"]) {
    const { head, content } = await get(gate, fields);
    equal([content, fieldOf(head, "Content-Encoding")], [TEXT, undefined], fields);
    ok(head.includes("Vary: Origin\r\n") && head.includes("Vary: Accept-Encoding\r\n"));
  }
  await using varied = await rawUpstream(
    answering("Content-Type: application/json\nVary: origin, accept-encoding"),
  );
  await using again = await gateTo(varied.port);
  equal((await get(again)).head.match(/^Vary/gm)!.length, 1);
});

Deno.test("caches are told of it also where the route writes Vary itself, or takes it away", async () => {
  await using upstream = await rawUpstream(answering("Content-Type: text/plain\nVary: Accept-Encoding"));
  for (const [change, told] of [["set: { Vary: Origin }", 2], ["remove: [Vary]", 1]] as const) {
    await using gate = await gateTo(upstream.port, `[gzip], responseHeaders: { ${change} }`);
    const { head } = await get(gate);
    equal(
      [head.match(/^Vary: /gm)?.length, head.includes("Vary: Accept-Encoding\r\n")],
      [told, true],
      change,
    );
  }
});

Deno.test("HTTP/1.0 gets it up to the end of the connection", async () => {
  await using upstream = await rawUpstream(answering("Content-Type: text/plain"));
  await using gate = await gateTo(upstream.port);
  const { head, content } = await get(
    gate,
    "Accept-Encoding: gzip\r\nConnection: keep-alive",
    "GET / HTTP/1.0",
  );
  equal([gunzip(content), fieldOf(head, "Connection"), fieldOf(head, "Transfer-Encoding")], [
    TEXT,
    "close",
    undefined,
  ]);
});

Deno.test("content of every framing, in pieces of any size, is the same when it is decoded", async () => {
  const random = seeded(11);
  const content = Buffer.from(
    Array.from({ length: 400_000 }, () => 97 + Math.floor(random() * random() * 26)),
  ).toString("latin1");
  await using upstream = await rawUpstream(async (peer) => {
    for (;;) {
      const framing = (await peer.head()).split(/[ /]+/)[1];
      peer.write(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n`);
      peer.write(
        framing === "length"
          ? `Content-Length: ${content.length}\r\n\r\n`
          : framing === "chunked"
          ? "Transfer-Encoding: chunked\r\n\r\n"
          : "\r\n",
      );
      for (let at = 0; at < content.length;) {
        const size = Math.min(1 + Math.floor(random() * 30_000), content.length - at);
        const piece = content.slice(at, at += size);
        peer.write(framing === "chunked" ? `${size.toString(16)};x=y\r\n${piece}\r\n` : piece);
        if (random() < 0.5) await new Promise((done) => setImmediate(done));
      }
      if (framing === "chunked") peer.write("0\r\nX-Trailer: 1\r\n\r\n");
      if (framing === "end") peer.socket.end();
    }
  });
  await using gate = await gateTo(upstream.port, "[gzip]");
  await using client = await connect(gate.port("web"));
  for (const framing of ["length", "chunked", "end", "length", "chunked"]) {
    await client.write(`GET /${framing} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n`);
    const response = await readResponse(client);
    ok(gunzip(response.content) === content, framing);
    equal([fieldOf(response.head, "Connection")], [undefined]); // chunks end it
  }
  client.end();
  const { down } = await gate.record(), sum = gate.requests.reduce((sum, line) => sum + line.down, 0);
  ok(sum < down && down < sum + 2000);
  ok(gate.requests.every((line) => line.outcome === "ok" && line.down < content.length));
});

Deno.test("what an upstream says so far is not withheld", async () => {
  await using upstream = await rawUpstream();
  await using gate = await gateTo(upstream.port, "[gzip]");
  await using client = await connect(gate.port("web"));
  await client.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  const peer = await upstream.next();
  await peer.head();
  peer.write(
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  );
  const read = async () => {
    let text = "";
    while (!text.endsWith("\r\n")) text += Buffer.from(await client.read(1)).toString("latin1");
    return text;
  };
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += await read();
  const parts: string[] = [];
  for (const piece of ["", "5\r\nworld\r\n", "0\r\n\r\n"]) {
    peer.write(piece);
    const size = parseInt(await read(), 16);
    parts.push(Buffer.from(await client.read(size)).toString("latin1"));
    await client.read(2);
  }
  equal(gunzip(parts.join("")), "helloworld");
});

Deno.test("an upstream that breaks off in the middle makes no response that looks whole", async () => {
  await using upstream = await rawUpstream(async (peer) => {
    await peer.head();
    peer.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\nhello");
    peer.socket.end();
  });
  await using gate = await gateTo(upstream.port);
  for (let i = 0; i < 3; i++) {
    const failed = await get(gate).then(() => "whole", () => "cut");
    equal(failed, "cut");
    equal((await gate.record()).side, "upstream");
  }
});

Deno.test("many large responses at once are all the same when they are decoded", async () => {
  const content = TEXT.repeat(100);
  await using upstream = await rawUpstream(answering("Content-Type: text/plain", content));
  await using gate = await gateTo(upstream.port, "[gzip]");
  const all = await Promise.all(Array.from({ length: 60 }, () => get(gate)));
  for (const { content: got, head } of all) {
    ok((fieldOf(head, "Content-Encoding") === "gzip" ? gunzip(got) : got) === content);
  }
});

Deno.test({
  name: "curl and zstd read what the gate compresses, also from files",
  ignore: !need("curl") || !need("zstd"),
  async fn() {
    await using folder = await Folder.make();
    await folder.write("page.html", TEXT);
    await using gate = await startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ files: "${folder.path}", compress: [zstd, gzip] }]
`);
    const url = `http://127.0.0.1:${gate.port("web")}/page.html`;
    equal((await succeed("curl", ["-s", "--compressed", url])).stdout, TEXT);
    const { stdout: encoding } = await succeed("curl", [
      ...[
        "-s",
        "-H",
        "Accept-Encoding: zstd",
        "-o",
        `${folder.path}/x.zst`,
        "-w",
        "%header{content-encoding}",
        url,
      ],
    ]);
    equal(encoding, "zstd");
    equal((await succeed("zstd", ["-dcq", `${folder.path}/x.zst`])).stdout, TEXT);
    const part = await succeed("curl", ["-s", "-i", "-H", "Accept-Encoding: gzip", "-r", "4-7", url]);
    ok(part.stdout.endsWith("work") && !/content-encoding/i.test(part.stdout));
  },
});

Deno.test("what a route says itself of its responses holds for compression too", async () => {
  await using upstream = await rawUpstream(answering('Content-Type: text/css\nETag: "x"'));
  const told = async (set: string, fields?: string) => {
    await using gate = await startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${upstream.port}", compress: [gzip], responseHeaders: { set: ${set} } }]
`);
    const { head, content } = await get(gate, fields);
    const coding = fieldOf(head, "Content-Encoding");
    equal(coding === "gzip" ? gunzip(content) : content, TEXT);
    return [coding, fieldOf(head, "ETag"), fieldOf(head, "Vary")];
  };
  const coded = ["gzip", 'W/"x"', "Accept-Encoding"];
  equal(await told("{ X-Other: no-transform }"), coded);
  equal(await told('{ Cache-Control: "public, No-Transform" }'), [undefined, '"x"', undefined]);
  equal(await told('{ content-digest: "sha-256=:AA==:" }'), [undefined, '"x"', undefined]);
  equal(await told("{ Content-Encoding: br }"), ["br", '"x"', undefined]);
  equal(await told("{ ETag: '\"own\"' }"), ["gzip", 'W/"own"', "Accept-Encoding"]);
  equal(await told("{ ETag: 'W/\"own\"' }"), ["gzip", 'W/"own"', "Accept-Encoding"]);
  equal(await told("{ X-Other: y }", "Accept-Encoding: gzip\r\nCache-Control: no-transform"), [
    ...[undefined, '"x"', "Accept-Encoding"],
  ]);
});

Deno.test("a part goes on as it came, and varies as the whole does", async () => {
  const part = 'Content-Type: text/css\nETag: "x"\nContent-Range: bytes 0-9/5000';
  await using upstream = await rawUpstream(answering(part, TEXT.slice(0, 10), "206 Partial Content"));
  await using gate = await gateTo(upstream.port);
  const { head, content } = await get(gate);
  equal([content, fieldOf(head, "Content-Encoding"), fieldOf(head, "ETag"), fieldOf(head, "Vary")], [
    ...[TEXT.slice(0, 10), undefined, '"x"', "Accept-Encoding"],
  ]);
});
