/** Requests find their routes by what stands in their heads. */
import { equal } from "../../support/assert.ts";
import { startGate } from "../../support/gate.ts";
import { rawUpstream, readResponse } from "../../support/http_peers.ts";
import { connect } from "../../support/net.ts";

const answering = (name: string) =>
  rawUpstream(async (peer) => {
    for (;;) {
      await peer.head();
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    }
  });

Deno.test("method, headers, query and expressions lead to upstreams of their own", async () => {
  await using one = await answering("one");
  await using rest = await answering("rest");
  const to = `to: "http://127.0.0.1:${one.port}"`;
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { method: [DELETE, PUT], ${to} }
  - { headers: { X-Canary: "yes", x-name: "é" }, ${to} }
  - { headers: { x-forwarded-proto: https }, ${to} }
  - { query: { beta: 1, "a b": "é" }, ${to} }
  - { path: { regex: "^/v[0-9]+/" }, ${to} }
  - { path: { exact: "/pkg/a%2Fb" }, encodedSlash: keep, ${to} }
  - { to: "http://127.0.0.1:${rest.port}" }
`);
  await using client = await connect(gate.port("web"));
  const table: [request: string, answer: string | number][] = [
    ["DELETE /", "one"],
    ["delete /", "rest"],
    ["HEAD_ /", "rest"],
    ["GET /\r\nx-canary: yes\r\nX-NAME: \xc3\xa9", "one"],
    ["GET /\r\nx-canary: yes\r\nX-NAME: \xe9", "rest"],
    ["GET /\r\nx-canary: yes", "rest"],
    ["GET /\r\nx-name: \xc3\xa9\r\nx-canary: yes\r\nx-canary: yes", "rest"], // "yes, yes"
    ["GET /\r\nX-Forwarded-Proto: https", "rest"], // a claim of who is not trusted
    ["GET /?beta=1&a+b=%C3%a9", "one"],
    ["GET http://h/x?b%65ta=%31&beta=2&a%20b=%c3%a9", "one"],
    ["GET /?beta=2&beta=1&a+b=%C3%a9", "rest"],
    ["GET /?beta=1", "rest"],
    ["GET //%761/x", "one"],
    ["GET http://h/v22/?y", "one"],
    ["GET /v1", "rest"],
    ["GET /v1/%2e%2e/x", 400],
    ["GET /pkg/a%2fb", "one"],
    ["GET /pkg/a%2fc", 400],
    ["OPTIONS *", "rest"],
  ];
  for (const [request, answer] of table) {
    const [line, ...fields] = request.split("\r\n");
    const head = [`${line} HTTP/1.1`, "Host: h", ...fields, "", ""].join("\r\n");
    await client.write(Uint8Array.from(head, (sign) => sign.charCodeAt(0)));
    const { status, content } = await readResponse(client);
    equal(status === 200 ? content : status, answer, request);
  }
});
