/** The client's side: whom it believes, and servers that others wrote. */
import tls from "node:tls";
import type { AddressInfo } from "node:net";
import { need } from "../../../scripts/clients.ts";
import { dial } from "../../../gate/engine/dial.ts";
import { clientContext, type ClientSettings, serverContext } from "../../../gate/engine/openssl_context.ts";
import { GateError } from "../../../gate/errors.ts";
import { acceptTls, connectTls } from "../../../protocols/tls/secure.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Child } from "../../support/child.ts";
import { outside } from "../../support/engine_port.ts";
import { readAll } from "../../support/memory_stream.ts";
import { onLoop } from "../../support/on_loop.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";

const ignore = !need("openssl");
const NAME = "up.example";
const authority = await Authority.make("connect"), strangers = await Authority.make("strangers");
const roots = { pem: authority.root.chain };
const keyPair = await authority.issue([NAME, "*.wild.example", "127.0.0.1", "::1"]);
const alice = await authority.issue(["alice"]), mallory = await strangers.issue(["alice"]);
const PATIENCE = { timeout: 5000 };
const context = serverContext({ keyPair, alpn: ["h2", "http/1.1"], scope: NAME });

/** How both sides of a handshake for `name` end: `ok`, or why not. */
async function ends(
  settings: Partial<ClientSettings>,
  name: string,
): Promise<[client: string, server: string]> {
  const [a, b] = await SUBJECTS["TCP"].pair();
  using client = clientContext({ roots, alpn: [], ...settings });
  const sides = [connectTls(a, client, name, PATIENCE), acceptTls(b, context, PATIENCE)];
  const outcomes = await Promise.allSettled(sides);
  for (const outcome of outcomes) if (outcome.status === "fulfilled") outcome.value.stream[Symbol.dispose]();
  const [mine, theirs] = outcomes.map((outcome) =>
    outcome.status === "fulfilled" ? "ok" : outcome.reason.failure
  );
  return [mine, theirs];
}

Deno.test("a server is believed under its names alone, by roots that are ours", () =>
  onLoop(async () => {
    for (const name of [NAME, "UP.example", "a.wild.example", "127.0.0.1", "::1"]) {
      equal(await ends({}, name), ["ok", "ok"]);
    }
    for (const name of ["other.example", "a.b.wild.example", "wild.example", "127.0.0.2", "::2"]) {
      equal(await ends({}, name), ["refused", "reset"]);
      equal(await ends({ roots: "any" }, name), ["ok", "ok"]);
    }
    equal(await ends({ roots: { pem: strangers.root.chain } }, NAME), ["refused", "reset"]);
    equal(await ends({ roots: "system" }, NAME), ["refused", "reset"]);
    equal(await ends({ alpn: ["x"] }, NAME), ["reset", "unsupported"]);
    equal(await ends({ alpn: ["x", "http/1.1"] }, NAME), ["ok", "ok"]);
  }));

Deno.test("a refusal says what is wrong with the certificate", () =>
  onLoop(async () => {
    for (
      const [name, pem, sentence] of [
        ["other.example", roots.pem, "hostname mismatch"],
        ["127.0.0.2", roots.pem, "IP address mismatch"],
        [NAME, strangers.root.chain, "unable to get local issuer certificate"],
      ]
    ) {
      const [a, b] = await SUBJECTS["TCP"].pair();
      using client = clientContext({ roots: { pem }, alpn: [] });
      const accepted = fails(acceptTls(b, context, PATIENCE), "reset");
      const refused = await connectTls(a, client, name, PATIENCE).then(() => undefined, (error) => error);
      ok(refused instanceof GateError);
      equal(
        [refused.side, refused.message],
        ["upstream", `Cannot believe the certificate of the upstream: ${sentence}`],
      );
      await accepted;
    }
  }));

/** Connected to a server outside: what it answers to a request of HTTP/1.0. */
async function ask(port: number, settings: Partial<ClientSettings>) {
  using client = clientContext({ roots, alpn: [], ...settings });
  const raw = await dial([{ host: "127.0.0.1", port }], 5000);
  const { stream, facts } = await outside(connectTls(raw, client, NAME, PATIENCE));
  using _closed = stream;
  await stream.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const answer = new TextDecoder().decode(await outside(readAll(stream)));
  return { facts, answer };
}

for (const version of ["1.2", "1.3"]) {
  Deno.test({
    name: `openssl serves TLS ${version} to us: our certificate, its protocol, to the end`,
    ignore,
    fn: () =>
      onLoop(async () => {
        const files = [
          "-cert",
          keyPair.chainFile,
          "-key",
          keyPair.keyFile,
          "-CAfile",
          authority.root.chainFile,
        ];
        const options = [
          "-www",
          "-Verify",
          "1",
          "-verify_return_error",
          "-alpn",
          "b,a",
          `-tls${version.replace(".", "_")}`,
        ];
        const child = new Child("openssl", ["s_server", "-accept", "127.0.0.1:0", ...files, ...options]);
        try {
          const [, port] = await outside(child.line(/ACCEPT 127\.0\.0\.1:(\d+)/));
          const { facts, answer } = await ask(Number(port), { alpn: ["a", "b"], keyPair: alice });
          equal([facts.version, facts.alpn, facts.resumed], [`TLSv${version}`, "b", false]);
          ok(facts.certificate && facts.certificate.der.length > 100, "no certificate");
          ok(/CN ?= ?alice/.test(answer), answer);
          for (const stranger of [mallory, undefined]) {
            await fails(ask(Number(port), { keyPair: stranger }), "reset");
          }
        } finally {
          await outside(child[Symbol.asyncDispose]());
        }
      }),
  });
}

Deno.test("rustls serves us, by the name we ask for", () =>
  onLoop(async () => {
    const names: unknown[] = [];
    const server = tls.createServer(
      { key: keyPair.key, cert: keyPair.chain, ALPNProtocols: ["http/1.1"] },
      (socket) => {
        names.push((socket as tls.TLSSocket & { servername?: string }).servername);
        socket.on("error", () => {});
        socket.once("data", () => socket.end("answer".repeat(20_000)));
      },
    );
    await outside(new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready)));
    const { port } = server.address() as AddressInfo;
    const { facts, answer } = await ask(port, { alpn: ["http/1.1"] });
    equal(answer.length, 120_000);
    equal([facts.version, facts.alpn], ["TLSv1.3", "http/1.1"]);
    equal(names.length, 1);
    await outside(new Promise((closed) => server.close(closed)));
  }));
