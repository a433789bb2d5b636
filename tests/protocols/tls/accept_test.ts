/** The server's side with clients that others wrote. */
import tls from "node:tls";
import { need } from "../../../scripts/clients.ts";
import type { Stream } from "../../../gate/streams.ts";
import { serverContext, type ServerSettings } from "../../../gate/engine/openssl_context.ts";
import type { TlsFacts } from "../../../protocols/tls/facts.ts";
import { acceptTls } from "../../../protocols/tls/secure.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { type Output, run } from "../../support/child.ts";
import { EnginePort, outside } from "../../support/engine_port.ts";
import { readAll } from "../../support/memory_stream.ts";
import { onLoop, pause } from "../../support/on_loop.ts";
import { pattern } from "../../support/pattern.ts";

const ignore = !need("openssl", "curl");
const NAME = "gate.example";
const authority = await Authority.make("accept"), strangers = await Authority.make("strangers");
const root = authority.root;
const keyPair = await authority.issue([NAME]), renewed = await authority.issue([NAME]);
const alice = await authority.issue(["alice"]), mallory = await strangers.issue(["alice"]);
const settings: ServerSettings = { keyPair, alpn: ["h2", "http/1.1"], scope: NAME };
const REQUIRED = { roots: root.chain, require: true }, OPTIONAL = { roots: root.chain, require: false };
serverContext(settings)[Symbol.dispose](); // the library, and what it calls back, stay for good: not in a test

interface Met {
  /** What the handshake agreed on, or how it failed. */
  readonly facts: TlsFacts | undefined;
  readonly failure: string | undefined;
  readonly output: Output;
}

/** One connection of a client outside; `serve` has the opened stream. */
async function meet(
  client: readonly string[],
  { serve = echo, stdin, ...changed }:
    & Partial<ServerSettings>
    & { serve?: (stream: Stream) => Promise<void>; stdin?: string | Uint8Array },
): Promise<Met> {
  using port = new EnginePort();
  using context = serverContext({ ...settings, ...changed });
  const args = client.slice(1).map((arg) => arg.replace("PORT", String(port.port)));
  const ended = run(client[0], args, { stdin });
  const accepted = acceptTls(await outside(port.accept()), context, { timeout: 5000 });
  const { facts, stream, failure } = await outside(accepted.then(
    (secured) => ({ ...secured, failure: undefined }),
    (error) => ({ facts: undefined, stream: undefined, failure: error.failure as string }),
  ));
  if (stream) await outside(serve(stream));
  const output = await outside(ended);
  stream?.[Symbol.dispose]();
  return { facts, failure, output };
}

async function echo(stream: Stream): Promise<void> {
  await stream.write(await readAll(stream));
  await stream.closeWrite();
}

async function answerHttp(stream: Stream): Promise<void> {
  await stream.next((head) =>
    head.length < 4 || String.fromCharCode(...head.slice(-4)) !== "\r\n\r\n"
      ? head.length + 1
      : { used: head.length }
  );
  await stream.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  await stream.closeWrite();
}

const s_client = (...args: string[]) => [
  ...["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", NAME, "-CAfile", root.chainFile],
  ...["-verify_return_error", "-verify_hostname", NAME, ...args],
];
const identity = ({ chainFile, keyFile }: typeof alice) => ["-cert", chainFile, "-key", keyFile];

for (const version of ["1.2", "1.3"]) {
  const only = `-tls${version.replace(".", "_")}`;

  Deno.test({
    name: `openssl speaks TLS ${version}, by name and protocol, whole and to the end`,
    ignore,
    fn: () =>
      onLoop(async () => {
        const { facts, output } = await meet(s_client(only, "-alpn", "http/1.1,h2", "-ign_eof", "-quiet"), {
          serve: async (stream) => {
            await stream.write(pattern(300_000));
            stream[Symbol.dispose]();
          },
        });
        equal(facts, { version: `TLSv${version}`, alpn: "h2", certificate: undefined, resumed: false });
        ok(Buffer.compare(output.bytes, pattern(300_000)) === 0, output.stderr);
      }),
  });

  Deno.test({
    name: `openssl sends by TLS ${version} what comes back, records of 512 bytes too`,
    ignore,
    fn: () =>
      onLoop(async () => {
        for (const more of [[], ["-maxfraglen", "512"]]) {
          const text = "line of text\n".repeat(20_000);
          const sent = await meet(s_client(only, "-quiet", "-no_ign_eof", "-nocommands", ...more), {
            stdin: text,
            serve: async (stream) => {
              const got = await readAll(stream);
              equal(got.length, text.length);
              await stream.write(got);
              await stream.closeWrite();
            },
          });
          equal(sent.failure, undefined);
        }
      }),
  });

  Deno.test({
    name: `clients' certificates over TLS ${version}: none, optional, required`,
    ignore,
    fn: () =>
      onLoop(async () => {
        const outcome = async (clientCertificates: ServerSettings["clientCertificates"], who: string[]) => {
          const { facts, failure } = await meet(s_client(only, ...who), { clientCertificates });
          return failure ?? (facts?.certificate ? "known" : "anonymous");
        };
        equal(await outcome(undefined, identity(alice)), "anonymous");
        equal(await outcome(OPTIONAL, []), "anonymous");
        equal(await outcome(OPTIONAL, identity(alice)), "known");
        equal(await outcome(OPTIONAL, identity(mallory)), "unauthenticated");
        equal(await outcome(REQUIRED, identity(alice)), "known");
        equal(await outcome(REQUIRED, identity(mallory)), "unauthenticated");
        equal(await outcome(REQUIRED, []), "unauthenticated");
      }),
  });
}

Deno.test({
  name: "curl asks by HTTP over TLS and takes the answer to its end",
  ignore,
  fn: () =>
    onLoop(async () => {
      const ask = ["curl", "-sS", "--cacert", root.chainFile, "--resolve", `${NAME}:PORT:127.0.0.1`];
      for (const more of [[], ["--http1.1", "--tls-max", "1.2"], ["--http1.1"]]) {
        const { output, facts } = await meet([...ask, ...more, `https://${NAME}:PORT/`], {
          serve: answerHttp,
          alpn: ["http/1.1"],
        });
        equal([output.stdout, output.stderr, facts?.alpn], ["hello", "", "http/1.1"]);
      }
    }),
});

Deno.test({
  name:
    "what is spoken inside is chosen by our preference, asked for by nobody it is nothing, in common it must be",
  ignore,
  fn: () =>
    onLoop(async () => {
      const chosen = async (ours: string[], ...theirs: string[]) => {
        const { facts, failure, output } = await meet(s_client(...theirs), { alpn: ours });
        return [failure ?? facts?.alpn, /alert number 120/.test(output.stderr)];
      };
      equal(await chosen(["a", "bc"], "-alpn", "bc,a"), ["a", false]);
      equal(await chosen(["x", "bc"], "-alpn", "bc,a"), ["bc", false]);
      equal(await chosen(["a"]), [undefined, false]);
      equal(await chosen([], "-alpn", "bc,a"), [undefined, false]);
      equal(await chosen(["ab", "b"], "-alpn", "bc,a"), ["unsupported", true]);
    }),
});

Deno.test({
  name: "what TLS 1.1 or an old cipher asks for is refused, with its alert",
  ignore,
  fn: () =>
    onLoop(async () => {
      for (
        const [args, alert] of [
          [["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], 70],
          [["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], 40],
        ] as const
      ) {
        const { failure, output } = await meet(s_client(...args), {});
        equal(failure, "unsupported");
        ok(output.stderr.includes(`alert number ${alert}`), output.stderr);
      }
    }),
});

Deno.test({
  name: "a ticket resumes under the same keys and settings, in another context too, and nowhere else",
  ignore,
  fn: () =>
    onLoop(async () => {
      const file = `${authority.folder.path}/session`, ticketKeys = new Uint8Array(80).fill(7);
      const given: Partial<ServerSettings> = { ticketKeys, clientCertificates: OPTIONAL };
      for (const only of ["-tls1_2", "-tls1_3"]) {
        const args = [only, ...identity(alice), "-ign_eof"];
        const serve = async (stream: Stream) => {
          await stream.write(new Uint8Array(10)); // the tickets of TLS 1.3 go before it
          await stream.closeWrite();
        };
        const again = async (changed: Partial<ServerSettings>) => {
          const { facts, failure } = await meet(s_client(...args, "-sess_in", file), { serve, ...changed });
          return failure ?? [facts?.resumed, facts?.certificate !== undefined];
        };
        equal((await meet(s_client(...args, "-sess_out", file), { serve, ...given })).facts?.resumed, false);
        equal(await again(given), [true, true]);
        equal(await again({ ...given, keyPair: renewed }), [true, true]);
        equal(await again({ ...given, scope: "other" }), [false, true]);
        equal(await again({ ...given, clientCertificates: REQUIRED }), [false, true]);
        equal(await again({ ...given, clientCertificates: undefined }), [false, false]);
        const rotated = new Uint8Array(160).fill(9, 0, 80).fill(7, 80);
        equal(await again({ ...given, ticketKeys: rotated }), [true, true]);
        equal(await again({ ...given, ticketKeys: new Uint8Array(80).fill(8) }), [false, true]);
        equal(await again({ ...given, ticketKeys: undefined }), [false, true]);
      }
    }),
});

Deno.test({
  name: "who resumed resumes again, under the newest key, when the one before is gone",
  ignore,
  fn: () =>
    onLoop(async () => {
      const file = (time: number) => `${authority.folder.path}/session-${time}`;
      const key = (filled: number) => new Uint8Array(80).fill(filled);
      const serve = async (stream: Stream) => {
        await stream.write(new Uint8Array(10));
        await stream.closeWrite();
      };
      const resumed = async (time: number, ticketKeys: Uint8Array) => { // by what the time before got
        const from = time > 0 ? ["-sess_in", file(time - 1)] : [];
        const args = ["-tls1_3", ...from, "-sess_out", file(time), "-ign_eof"];
        return (await meet(s_client(...args), { serve, ticketKeys })).facts?.resumed;
      };
      equal(await resumed(0, key(1)), false);
      for (const time of [1, 2, 3]) equal(await resumed(time, key(1)), true);
      equal(await resumed(4, Uint8Array.of(...key(2), ...key(1))), true);
      equal(await resumed(5, key(2)), true);
    }),
});

/** How a client of node's that believes `ca` ends with us: what it reads, or its error; and how we do. */
async function rustls(ca: string): Promise<[theirs: string, ours: string | undefined]> {
  using port = new EnginePort();
  using context = serverContext(settings);
  const asking = new Promise<string>((resolve) => {
    const asked = { port: port.port, host: "127.0.0.1", servername: NAME, ca, ALPNProtocols: ["h2"] };
    const socket = tls.connect(asked);
    let text = "";
    socket.on("data", (bytes) => text += bytes);
    socket.on("end", () => socket.end());
    socket.on("error", (error) => text = error.message);
    socket.on("close", () => resolve(text));
    socket.on("secureConnect", () => socket.write("question"));
  });
  const accepted = acceptTls(await outside(port.accept()), context, { timeout: 5000 });
  const { stream, facts, failure } = await outside(accepted.then(
    (secured) => ({ ...secured, failure: undefined }),
    (error) => ({ stream: undefined, facts: undefined, failure: error.failure as string }),
  ));
  if (stream) {
    equal(await outside(said(stream)), "question");
    await stream.write(new TextEncoder().encode("answer"));
    stream[Symbol.dispose]();
  }
  return [await outside(asking), failure ?? facts?.alpn];
}

Deno.test("rustls asks us, and refuses us where it does not know who issued our certificate", () =>
  onLoop(async () => {
    equal(await rustls(root.chain), ["answer", "h2"]);
    const [theirs, ours] = await rustls(strangers.root.chain);
    ok(/certificate|issuer/i.test(theirs), theirs);
    equal(ours, "reset");
  }));

/** A client that types when it is told to, so that each line is one of its own. */
async function typing(
  args: readonly string[],
  talk: (stream: Stream, type: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  using port = new EnginePort();
  using context = serverContext(settings);
  const [program, ...rest] = s_client(...args).map((arg) => arg.replace("PORT", String(port.port)));
  const child = new Deno.Command(program, { args: rest, stdin: "piped", stdout: "null", stderr: "null" })
    .spawn();
  const stdin = child.stdin.getWriter();
  const type = (text: string) => outside(stdin.write(new TextEncoder().encode(text)));
  const { stream } = await acceptTls(await outside(port.accept()), context, { timeout: 5000 });
  try {
    await talk(stream, type);
  } finally {
    stream[Symbol.dispose]();
    await outside(stdin.close().catch(() => {}));
    await outside(child.status);
  }
}

const said = async (stream: Stream): Promise<string> => {
  const into = new Uint8Array(100), size = await stream.read(into);
  return size === null ? "the end" : new TextDecoder().decode(into.subarray(0, size));
};

Deno.test({
  name: "keys of TLS 1.3 change while bytes flow, also where the client asks for ours",
  ignore,
  fn: () =>
    onLoop(() =>
      typing(["-tls1_3"], async (stream, type) => {
        for (const update of ["k\n", "K\n", "K\n"]) {
          await type("before\n");
          equal(await said(stream), "before\n");
          await type(update);
          await pause(100); // the next line is to be read by itself
          await type("after\n");
          equal(await said(stream), "after\n");
          await stream.write(new Uint8Array(50_000));
        }
      })
    ),
});

Deno.test({
  name: "a client of TLS 1.2 that negotiates again is refused, and the connection does not go on",
  ignore,
  fn: () =>
    onLoop(() =>
      typing(["-tls1_2"], async (stream, type) => {
        await type("before\n");
        equal(await said(stream), "before\n");
        await type("R\n");
        equal(await said(stream).catch((error) => error.failure), "reset");
      })
    ),
});
