import { type Failure, GateError } from "../../../gate/errors.ts";
import { protocols } from "../../../protocols/mod.ts";
import { serve } from "../../conformance/protocol.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { joined } from "../../support/client_hello.ts";
import { NO_KEYS } from "../../support/no_keys.ts";
import { memoryPair, type MemoryStream, readAll, readExactly } from "../../support/memory_stream.ts";

const { socks } = protocols;
const bytes = (...parts: readonly (number | string)[]) =>
  Uint8Array.from(
    parts.flatMap((part) => typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]),
  );
const reply5 = (code: number) => bytes(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
const NONE = new Uint8Array(0);

Deno.test("a client that waits for each answer gets each in turn, and an upstream proxy is asked the same way", async () => {
  const [upstream, target] = memoryPair("upstream");
  const { client, gate, serving } = serve(socks, { upstream: () => upstream, login: () => true }, {
    asksUser: true,
  });
  const signal = new AbortController().signal, peer = { address: "127.0.0.1", layers: [] };
  const endpoint = {
    address: { host: "a.example", port: 8080 },
    layers: ["socks"],
    credentials: "alice:se:cret",
  };
  const through = await socks.wrap!(endpoint, () => Promise.resolve(client), { peer, signal, ...NO_KEYS });
  await serving;
  equal(gate.logins, [["alice", "se:cret"]]);
  equal(gate.asked, [{ host: "a.example", port: 8080 }]);
  await target.write(bytes("hello"));
  equal([...await readExactly(through, 5)], [...bytes("hello")]);
  await through.closeWrite();
  equal((await readAll(target)).length, 0);
  target[Symbol.dispose]();
  await Promise.all(gate.relays);
});

/** `wrap` against a proxy that says this at once. */
async function wrapped(said: Uint8Array, credentials?: string, host = "192.0.2.1") {
  const [inside, proxy] = memoryPair("upstream");
  await proxy.write(said);
  const from = {
    peer: { address: "127.0.0.1", layers: [] },
    signal: new AbortController().signal,
    ...NO_KEYS,
  };
  const endpoint = { address: { host, port: 443 }, layers: ["socks"], credentials };
  const outcome = socks.wrap!(endpoint, () => Promise.resolve(inside), from);
  const stream = await outcome.catch(() => undefined) as MemoryStream | undefined;
  return { outcome, stream, inside, proxy };
}

Deno.test("every reply of an upstream proxy becomes its failure, and the stream is closed", async () => {
  const failures: Failure[] = [
    "unreachable",
    "denied",
    "unreachable",
    "unreachable",
    "refused",
    "timeout",
    "unsupported",
    "unsupported",
    "malformed",
  ];
  for (const [index, failure] of failures.entries()) {
    const { outcome, inside } = await wrapped(joined(bytes(5, 0), reply5(index + 1)));
    await fails(outcome, failure);
    equal(inside.state, "disposed");
  }
});

Deno.test("a proxy that chooses what was not offered, refuses the login or speaks nonsense is an error", async () => {
  const cases: [said: Uint8Array, failure: Failure, credentials?: string][] = [
    [bytes(5, 2), "malformed"],
    [bytes(5, 1), "malformed", "a:b"],
    [bytes(5, 255), "unauthenticated"],
    [bytes(5, 2, 1, 1), "unauthenticated", "a:b"],
    [bytes(4, 0), "malformed"],
    [bytes("HTTP/1.1 400"), "malformed"],
    [joined(bytes(5, 0), bytes(5, 0, 0, 7)), "malformed"],
  ];
  for (const [said, failure, credentials] of cases) {
    const { outcome, inside } = await wrapped(said, credentials);
    await fails(outcome, failure);
    equal(inside.state, "disposed");
  }
});

Deno.test("a server that speaks first is not cut at the proxy's reply, however long its address is", async () => {
  const bound = bytes(5, 0, 0, 3, 4, "host", 0, 80);
  const { stream } = await wrapped(joined(bytes(5, 0), bound, bytes("220 hi")), undefined, "2001:db8::1");
  ok(stream);
  equal([...await readExactly(stream, 6)], [...bytes("220 hi")]);
});

Deno.test("an aborted handshake with a proxy ends at once with the reason, and the proxy sees a reset", async () => {
  const [inside, proxy] = memoryPair("upstream");
  const abort = new AbortController();
  const from = { peer: { address: "127.0.0.1", layers: [] }, signal: abort.signal, ...NO_KEYS };
  const endpoint = { address: { host: "a.example", port: 1 }, layers: ["socks"] };
  const outcome = socks.wrap!(endpoint, () => Promise.resolve(inside), from);
  await readExactly(proxy, 3);
  abort.abort(new GateError("timeout", "upstream", "Cannot dial: too slow"));
  await fails(outcome, "timeout");
  await fails(readAll(proxy), "reset");
});

Deno.test("credentials that fit no login, and unix sockets, are not asked of a proxy", async () => {
  for (const credentials of ["nocolon", ":x", `${"u".repeat(256)}:x`]) {
    const { outcome, inside } = await wrapped(NONE, credentials);
    await fails(outcome, "unsupported");
    equal(inside.state, "open");
  }
  await fails((await wrapped(NONE, undefined, "unix:/run/s")).outcome, "unsupported");
});

Deno.test("a proxy's replies that come byte by byte are the same replies", async () => {
  const [inside, proxy] = memoryPair("upstream");
  const from = {
    peer: { address: "127.0.0.1", layers: [] },
    signal: new AbortController().signal,
    ...NO_KEYS,
  };
  const endpoint = { address: { host: "a.example", port: 1 }, layers: ["socks"] };
  const outcome = socks.wrap!(endpoint, () => Promise.resolve(inside), from);
  for (const byte of joined(bytes(5, 0), reply5(0))) {
    await proxy.write(Uint8Array.of(byte));
    await Promise.resolve();
  }
  equal(await outcome, inside);
  equal(inside.unread, 0);
});
