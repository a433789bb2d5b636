import { X509Certificate } from "node:crypto";
import {
  BROKEN,
  DONE,
  ENDED,
  liveConnections,
  MOST_WRITTEN,
  WANTS_INPUT,
} from "../../../gate/engine/openssl.ts";
import { Connection } from "../../../gate/engine/openssl.ts";
import { clientContext, serverContext } from "../../../gate/engine/openssl_context.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import type { Task } from "../../support/handshake_worker.ts";
import { carry, shaken } from "../../support/handshakes.ts";
import { pattern } from "../../support/pattern.ts";

const NAME = "state.example";
const authority = await Authority.make("states");
const keyPair = await authority.issue([NAME]), root = authority.root.chain;
const server = serverContext({ keyPair, alpn: ["a"], scope: NAME });
const client = clientContext({ roots: { pem: root }, alpn: ["a"] });

/** Everything that was written to it. */
function opened(connection: Connection): Uint8Array {
  const into = new Uint8Array(1 << 20);
  let size = 0;
  for (let read = connection.read(into, 0); read > 0; read = connection.read(into, size)) {
    size += read;
    if (!connection.hasMore) break;
  }
  return into.slice(0, size);
}

Deno.test("two connections shake hands, write, read and end, in small numbers", () => {
  const [a, b] = shaken(client, server, NAME);
  equal([a.version, a.alpn, a.resumed, b.version, b.alpn], ["TLSv1.3", "a", false, "TLSv1.3", "a"]);
  const { der, notAfter } = a.certificate!, { validTo } = new X509Certificate(der);
  ok(Math.abs(notAfter - Date.parse(validTo)) <= 1000 && !b.certificate); // OpenSSL counts from the second that it is
  for (const size of [1, 16_384, 16_385, 200_000]) {
    equal(a.write(pattern(size), size), DONE);
    carry(a, b);
    equal(opened(b), pattern(size));
    equal(b.read(new Uint8Array(9), 0), WANTS_INPUT);
  }
  a.shutdown();
  carry(a, b);
  equal(b.read(new Uint8Array(9), 0), ENDED);
  a[Symbol.dispose]();
  b[Symbol.dispose]();
  b[Symbol.dispose]();
  equal(liveConnections.count, 0);
});

Deno.test("the largest write fits the ring", () => {
  const [a, b] = shaken(client, server, NAME);
  equal(a.write(pattern(MOST_WRITTEN), MOST_WRITTEN), DONE);
  const size = a.takeOutput();
  ok(size > MOST_WRITTEN && size <= a.output.length, `${size} bytes`);
  a[Symbol.dispose]();
  b[Symbol.dispose]();
});

Deno.test("what broke says why, and leaves nothing for the next connection", () => {
  const broken = new Connection(server);
  broken.feed(pattern(300), 0, 300);
  equal(broken.handshake(), BROKEN);
  ok(broken.error.reason > 0 && broken.error.text.length > 3, broken.error.text);
  broken.takeOutput();
  broken[Symbol.dispose]();
  const [a, b] = shaken(client, server, NAME);
  a.feed(Uint8Array.of(23, 3, 3, 0, 20, ...pattern(20)), 0, 25);
  equal(a.read(new Uint8Array(9), 0), BROKEN);
  a.takeOutput();
  equal(b.read(new Uint8Array(9), 0), WANTS_INPUT);
  a[Symbol.dispose]();
  b[Symbol.dispose]();
});

Deno.test("a connection that is used when it was freed is a mistake that is told, and ends no process", () => {
  const [a, b] = shaken(client, server, NAME);
  a[Symbol.dispose]();
  for (const act of [() => a.handshake(), () => a.read(new Uint8Array(9), 0), () => a.write(pattern(1), 1)]) {
    throws(act, /^Cannot use a TLS connection: it was freed$/);
  }
  throws(() => a.shutdown(), /it was freed/);
  throws(() => a.certificate, /it was freed/);
  b[Symbol.dispose]();
});

Deno.test("two threads shake hands at once, each with protocols of its own", async () => {
  const wrong = await Promise.all(["one", "two"].map((protocol) => {
    const worker = new Worker(new URL("../../support/handshake_worker.ts", import.meta.url), {
      type: "module",
    });
    const task: Task = {
      keyPair: { chain: keyPair.chain, key: keyPair.key },
      root,
      name: NAME,
      times: 200,
      protocol,
    };
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data.wrong);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(task);
    }).finally(() => worker.terminate());
  }));
  equal(wrong, [0, 0]);
});
